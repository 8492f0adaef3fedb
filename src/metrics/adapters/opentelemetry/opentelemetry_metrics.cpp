// Points as measurements of OpenTelemetry's instruments.
#include <opentelemetry/context/context.h>
#include <opentelemetry/metrics/async_instruments.h>
#include <opentelemetry/metrics/meter.h>
#include <opentelemetry/metrics/sync_instruments.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/metrics/opentelemetry.hpp"
#include "obol/version.hpp"

namespace obol { inline namespace v0 {
namespace {

namespace api = ::opentelemetry::metrics;
namespace nostd = ::opentelemetry::nostd;
using ::opentelemetry::common::AttributeValue;
using Attributes = std::vector<std::pair<nostd::string_view, AttributeValue>>;

nostd::string_view view(std::string_view text) { return {text.data(), text.size()}; }

/// Views into the point.
Attributes view(const std::vector<MetricAttribute>& attributes) {
  Attributes views;
  views.reserve(attributes.size());
  for (const auto& attribute : attributes) views.emplace_back(view(attribute.name), view(attribute.value));
  return views;
}

nostd::shared_ptr<api::ObservableInstrument> observable(api::Meter& meter, const Instrument& instrument) {
  const auto name = view(instrument.name);
  const auto description = view(instrument.description);
  const auto unit = view(instrument.unit);
  if (instrument.kind == InstrumentKind::counter) return meter.CreateInt64ObservableCounter(name, description, unit);
  return meter.CreateInt64ObservableUpDownCounter(name, description, unit);
}

}  // namespace

class OpenTelemetryMetrics::Instruments {
 public:
  Instruments(const StoreMetrics& metrics, const MeterProvider& provider)
      : meter_(provider->GetMeter("obol", OBOL_VERSION_STRING)) {
    const auto all = instruments();
    const auto& duration = all.front();
    duration_ = meter_->CreateDoubleHistogram(view(duration.name), view(duration.description), view(duration.unit));
    observed_.reserve(all.size());
    for (std::size_t i = 1; i < all.size(); ++i) {
      observed_.push_back({.metrics = metrics, .index = i, .instrument = observable(*meter_, all[i])});
    }
    for (auto& observed : observed_) observed.instrument->AddCallback(observe, &observed);
  }

  ~Instruments() {
    for (auto& observed : observed_) observed.instrument->RemoveCallback(observe, &observed);
  }

  Instruments(const Instruments&) = delete;
  Instruments& operator=(const Instruments&) = delete;

  void record(std::chrono::nanoseconds duration, const std::vector<MetricAttribute>& attributes) noexcept {
    duration_->Record(std::chrono::duration<double>(duration).count(), view(attributes),
                      ::opentelemetry::context::Context{});
  }

 private:
  struct Observed {
    const StoreMetrics& metrics;
    std::size_t index;
    nostd::shared_ptr<api::ObservableInstrument> instrument;
  };

  static void observe(api::ObserverResult result, void* state) {
    const auto& observed = *static_cast<const Observed*>(state);
    const auto* const sink = nostd::get_if<nostd::shared_ptr<api::ObserverResultT<std::int64_t>>>(&result);
    if (sink == nullptr) return;
    for (const auto& point : observed.metrics.points(observed.index)) {
      (*sink)->Observe(static_cast<std::int64_t>(point.value), view(point.attributes));
    }
  }

  nostd::shared_ptr<api::Meter> meter_;
  nostd::unique_ptr<api::Histogram<double>> duration_;
  std::vector<Observed> observed_;
};

OpenTelemetryMetrics::OpenTelemetryMetrics(StoreMetricsOptions options, const MeterProvider& provider)
    : StoreMetrics(std::move(options)), instruments_(std::make_unique<Instruments>(*this, provider)) {}

OpenTelemetryMetrics::~OpenTelemetryMetrics() = default;

void OpenTelemetryMetrics::on_call(const CallEvent& event) noexcept {
  count_call(event);
  instruments_->record(event.duration, attributes_of(event));
}

}}  // namespace obol::v0
