// A provider of OpenTelemetry's API that keeps what is reported to it, as a small SDK would.
#pragma once

#include <opentelemetry/context/context.h>
#include <opentelemetry/metrics/async_instruments.h>
#include <opentelemetry/metrics/meter.h>
#include <opentelemetry/metrics/meter_provider.h>
#include <opentelemetry/metrics/noop.h>
#include <opentelemetry/metrics/sync_instruments.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace obol::testing {

namespace otel = ::opentelemetry;

/// Attributes as "name=value name=value", in the order of the names.
inline std::string text_of(const otel::common::KeyValueIterable& attributes) {
  std::map<std::string, std::string> sorted;
  attributes.ForEachKeyValue([&](otel::nostd::string_view name, otel::common::AttributeValue value) noexcept {
    sorted[std::string(name)] = std::string(otel::nostd::get<otel::nostd::string_view>(value));
    return true;
  });
  std::string text;
  for (const auto& [name, value] : sorted) text.append(text.empty() ? "" : " ").append(name).append("=").append(value);
  return text;
}

/// What was recorded in one instrument.
struct RecordedInstrument {
  std::string kind;
  std::string unit;
  std::vector<std::pair<double, std::string>> durations;  ///< With their attributes.
};

/// Thread-safe. Holds a lock while it calls back, as the SDK does.
class RecordingMeter final : public otel::metrics::Meter {
 public:
  using Observations = std::map<std::string, std::map<std::string, std::int64_t>>;  ///< By instrument and attributes.
  using Instrument = otel::nostd::shared_ptr<otel::metrics::ObservableInstrument>;
  using Text = otel::nostd::string_view;

  otel::nostd::unique_ptr<otel::metrics::Histogram<double>> CreateDoubleHistogram(Text name, Text,
                                                                                  Text unit) noexcept override {
    return otel::nostd::unique_ptr<otel::metrics::Histogram<double>>(
        new RecordingHistogram(*this, add(name, "histogram", unit)));
  }
  Instrument CreateInt64ObservableCounter(Text name, Text, Text unit) noexcept override {
    return Instrument(new RecordingObservable(*this, add(name, "counter", unit)));
  }
  Instrument CreateInt64ObservableUpDownCounter(Text name, Text, Text unit) noexcept override {
    return Instrument(new RecordingObservable(*this, add(name, "up_down_counter", unit)));
  }

  // What the adapter has no use for.
  otel::nostd::unique_ptr<otel::metrics::Counter<std::uint64_t>> CreateUInt64Counter(Text name, Text description,
                                                                                     Text unit) noexcept override {
    return noop_.CreateUInt64Counter(name, description, unit);
  }
  otel::nostd::unique_ptr<otel::metrics::Counter<double>> CreateDoubleCounter(Text name, Text description,
                                                                              Text unit) noexcept override {
    return noop_.CreateDoubleCounter(name, description, unit);
  }
  Instrument CreateDoubleObservableCounter(Text name, Text description, Text unit) noexcept override {
    return noop_.CreateDoubleObservableCounter(name, description, unit);
  }
  otel::nostd::unique_ptr<otel::metrics::Histogram<std::uint64_t>> CreateUInt64Histogram(Text name, Text description,
                                                                                         Text unit) noexcept override {
    return noop_.CreateUInt64Histogram(name, description, unit);
  }
  Instrument CreateInt64ObservableGauge(Text name, Text description, Text unit) noexcept override {
    return noop_.CreateInt64ObservableGauge(name, description, unit);
  }
  Instrument CreateDoubleObservableGauge(Text name, Text description, Text unit) noexcept override {
    return noop_.CreateDoubleObservableGauge(name, description, unit);
  }
  otel::nostd::unique_ptr<otel::metrics::UpDownCounter<std::int64_t>> CreateInt64UpDownCounter(
      Text name, Text description, Text unit) noexcept override {
    return noop_.CreateInt64UpDownCounter(name, description, unit);
  }
  otel::nostd::unique_ptr<otel::metrics::UpDownCounter<double>> CreateDoubleUpDownCounter(Text name, Text description,
                                                                                          Text unit) noexcept override {
    return noop_.CreateDoubleUpDownCounter(name, description, unit);
  }
  Instrument CreateDoubleObservableUpDownCounter(Text name, Text description, Text unit) noexcept override {
    return noop_.CreateDoubleObservableUpDownCounter(name, description, unit);
  }

  /// Asks all callbacks.
  Observations collect() {
    const std::scoped_lock lock(mutex_);
    Observations observations;
    for (const auto& callback : callbacks_) {
      const auto result = std::make_shared<Result>(observations[callback.instrument]);
      callback.function(otel::nostd::shared_ptr<otel::metrics::ObserverResultT<std::int64_t>>(result), callback.state);
    }
    return observations;
  }

  std::map<std::string, RecordedInstrument> recorded() {
    const std::scoped_lock lock(mutex_);
    return instruments_;
  }

  std::size_t callbacks() {
    const std::scoped_lock lock(mutex_);
    return callbacks_.size();
  }

 private:
  struct Callback {
    std::string instrument;
    otel::metrics::ObservableCallbackPtr function;
    void* state;
  };

  class Result final : public otel::metrics::ObserverResultT<std::int64_t> {
   public:
    explicit Result(std::map<std::string, std::int64_t>& values) : values_(values) {}
    void Observe(std::int64_t value) noexcept override { values_[""] = value; }
    void Observe(std::int64_t value, const otel::common::KeyValueIterable& attributes) noexcept override {
      values_[text_of(attributes)] = value;
    }

   private:
    std::map<std::string, std::int64_t>& values_;
  };

  class RecordingHistogram final : public otel::metrics::Histogram<double> {
   public:
    RecordingHistogram(RecordingMeter& meter, std::string name) : meter_(meter), name_(std::move(name)) {}
    void Record(double, const otel::context::Context&) noexcept override {}
    void Record(double value, const otel::common::KeyValueIterable& attributes,
                const otel::context::Context&) noexcept override {
      const std::scoped_lock lock(meter_.mutex_);
      meter_.instruments_[name_].durations.emplace_back(value, text_of(attributes));
    }

   private:
    RecordingMeter& meter_;
    std::string name_;
  };

  class RecordingObservable final : public otel::metrics::ObservableInstrument {
   public:
    RecordingObservable(RecordingMeter& meter, std::string name) : meter_(meter), name_(std::move(name)) {}
    void AddCallback(otel::metrics::ObservableCallbackPtr function, void* state) noexcept override {
      const std::scoped_lock lock(meter_.mutex_);
      meter_.callbacks_.push_back({name_, function, state});
    }
    void RemoveCallback(otel::metrics::ObservableCallbackPtr function, void* state) noexcept override {
      const std::scoped_lock lock(meter_.mutex_);
      std::erase_if(meter_.callbacks_, [&](const Callback& callback) {
        return callback.instrument == name_ && callback.function == function && callback.state == state;
      });
    }

   private:
    RecordingMeter& meter_;
    std::string name_;
  };

  std::string add(Text name, std::string kind, Text unit) {
    const std::scoped_lock lock(mutex_);
    instruments_[std::string(name)] = {.kind = std::move(kind), .unit = std::string(unit), .durations = {}};
    return std::string(name);
  }

  otel::metrics::NoopMeter noop_;
  std::mutex mutex_;
  std::map<std::string, RecordedInstrument> instruments_;
  std::vector<Callback> callbacks_;
};

class RecordingMeterProvider final : public otel::metrics::MeterProvider {
 public:
  otel::nostd::shared_ptr<otel::metrics::Meter> GetMeter(otel::nostd::string_view name, otel::nostd::string_view,
                                                         otel::nostd::string_view) noexcept override {
    meter_name = std::string(name);
    return {std::shared_ptr<otel::metrics::Meter>(meter)};
  }

  std::shared_ptr<RecordingMeter> meter = std::make_shared<RecordingMeter>();
  std::string meter_name;
};

}  // namespace obol::testing
