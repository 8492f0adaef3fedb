// The file of an export: written beside its final name until it is whole; read only where it is.
#pragma once

#include <optional>
#include <string>

#include "obol/error.hpp"
#include "obolctl/export_format.hpp"
#include "obolctl/own_file.hpp"

namespace obol::ctl {

/// Writes FILE.partial, which only its owner may read, and gives it its name when it is whole. Never replaces a file.
class ExportWriter {
 public:
  /// Goes on behind the last checkpoint of an earlier FILE.partial for the same prefix; else begins a new one. Refuses
  /// a FILE.partial that somebody else may have written: see open_own_file.
  static Result<ExportWriter> open(const std::string& path, const std::string& key_prefix);

  /// Where an earlier export ended; nothing where this one is new.
  const std::optional<Checkpoint>& resumed_at() const { return resumed_at_; }
  std::uint64_t sessions() const { return sessions_; }
  std::uint64_t marks() const { return marks_; }

  /// Throws away what an earlier export wrote.
  Result<void> restart();

  Result<void> write(const ExportLine& line);

  /// Adds a checkpoint and hands everything to the operating system.
  Result<void> checkpoint(const Checkpoint& checkpoint);

  /// Adds the trailer, waits until all is on the disk, and gives the file its name.
  Result<void> finish();

 private:
  explicit ExportWriter(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {}
  Result<void> take_up(const std::string& key_prefix);
  Result<void> flush();

  std::string path_;
  std::string partial_;
  Descriptor file_;
  std::string buffer_;
  Checksum checksum_;
  std::optional<Checkpoint> resumed_at_;
  std::uint64_t sessions_ = 0;
  std::uint64_t marks_ = 0;
};

class ExportReader {
 public:
  /// Reads the file once from end to end. An error with ErrorCode::protocol where it is cut short or was changed.
  static Result<ExportReader> open(const std::string& path);

  const ExportHeader& header() const { return header_; }
  const ExportTrailer& trailer() const { return trailer_; }
  std::uint64_t size() const { return size_; }

  /// The offset of the next line, and how to go on there.
  std::uint64_t offset() const { return offset_; }
  void seek(std::uint64_t offset);

  /// The next line; the trailer is the last. `protocol` where the file was changed since it was opened.
  Result<ExportLine> next();

 private:
  Result<void> verify();

  std::string path_;
  Descriptor file_;
  Lines lines_{-1};
  ExportHeader header_;
  ExportTrailer trailer_;
  std::uint64_t size_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace obol::ctl
