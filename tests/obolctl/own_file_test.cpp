// What obolctl goes on with: only files that nobody else can have written or read.
#include "obolctl/own_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "obolctl/export_file.hpp"
#include "obolctl/import_progress.hpp"
#include "obolctl/program.hpp"

namespace {

bool file_system_knows_flags = true;

}  // namespace

// As on NFS, if a test wants it so.
extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (file_system_knows_flags) {
    return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
  }
  errno = EINVAL;
  return -1;
}

namespace obol::ctl { namespace {

using testing::contents;

class OwnFile : public ::testing::Test {
 protected:
  static void write(const std::string& name, std::string_view text, ::mode_t mode = 0600) {
    std::ofstream(name) << text;
    ASSERT_EQ(::chmod(name.c_str(), mode), 0);
  }
  /// The words of a refusal; empty if there is none.
  template <class Value>
  static std::string refusal(const Result<Value>& result) {
    if (result) return {};
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument) << result.error().message;
    return result.error().message;
  }
  template <class Value>
  void expect_refused(const Result<Value>& result, std::string_view why) const {
    EXPECT_NE(refusal(result).find(why), std::string::npos) << why << ": " << refusal(result);
    EXPECT_NE(refusal(result).find(path), std::string::npos) << refusal(result);
  }

  testing::Folder folder;
  std::string path = folder.path("file");
  std::string victim = folder.path("victim");
};

TEST_F(OwnFile, IsMadeForItsOwnerAlone) {
  ::umask(0);
  ASSERT_TRUE(open_own_file(path));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_TRUE(open_own_file(path));
  EXPECT_GE(read_own_file(path)->number(), 0);
}

TEST_F(OwnFile, IsNoLinkToAnother) {
  write(victim, "precious");
  std::filesystem::create_symlink(victim, path);
  expect_refused(open_own_file(path), "symbolic link");
  expect_refused(read_own_file(path), "symbolic link");
  std::filesystem::remove(path);
  std::filesystem::create_symlink(folder.path("nowhere"), path);
  expect_refused(open_own_file(path), "symbolic link");
  EXPECT_FALSE(std::filesystem::exists(folder.path("nowhere")));
  std::filesystem::remove(path);
  std::filesystem::create_hard_link(victim, path);
  expect_refused(open_own_file(path), "hard link");
  expect_refused(read_own_file(path), "hard link");
  EXPECT_EQ(contents(victim), "precious");
}

TEST_F(OwnFile, IsOpenToNobodyElse) {
  for (const ::mode_t mode : {0644U, 0660U, 0602U, 0777U, 04600U, 01600U}) {
    write(path, "text", mode);
    expect_refused(open_own_file(path), "mode");
    expect_refused(read_own_file(path), "mode");
    EXPECT_EQ(contents(path), "text");
    std::filesystem::remove(path);
  }
}

TEST_F(OwnFile, IsAFile) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_refused(open_own_file(path), "not a regular file");
  expect_refused(read_own_file(path), "not a regular file");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  expect_refused(read_own_file(path), "not a regular file");
  EXPECT_FALSE(open_own_file(path));
}

TEST_F(OwnFile, BelongsToNobodyElse) {
  path = "/etc/passwd";
  if (::geteuid() == 0) {
    path = folder.path("theirs");
    write(path, "text");
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    expect_refused(open_own_file(path), "another user");
  }
  expect_refused(read_own_file(path), "another user");
}

TEST_F(OwnFile, TakesTheNameOfALinkAndLeavesWhereItLed) {
  write(victim, "precious");
  for (const bool is_hard : {false, true}) {
    if (is_hard) {
      std::filesystem::create_hard_link(victim, path);
    } else {
      std::filesystem::create_symlink(victim, path);
    }
    const auto file = replace_own_file(path).value();
    ASSERT_TRUE(write_all(file, "new", path));
    EXPECT_EQ(contents(path), "new");
    EXPECT_EQ(contents(victim), "precious");
    std::filesystem::remove(path);
  }
}

TEST_F(OwnFile, IsReadByItsDescriptorAndNotByItsName) {
  write(path, "one\ntwo\n\nhalf");
  const auto file = read_own_file(path).value();
  std::filesystem::remove(path);
  write(path, "planted\n");
  Lines lines(file.number());
  std::string line;
  std::vector<std::string> seen;
  while (lines.next(line)) seen.push_back(line);
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "two", ""}));
  EXPECT_FALSE(is_named(file, path));
  Lines behind(file.number(), 4);
  ASSERT_TRUE(behind.next(line));
  EXPECT_EQ(line, "two");
}

TEST_F(OwnFile, HasLinesOfAnyLength) {
  const std::string longer(1'000'000, 'x');
  write(path, longer + "\n" + longer + "\n");
  const auto file = read_own_file(path).value();
  Lines lines(file.number());
  std::string line;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(lines.next(line));
    EXPECT_EQ(line, longer);
  }
  EXPECT_FALSE(lines.next(line));
}

TEST_F(OwnFile, OfAnExportIsWhatItsNameIsGivenTo) {
  auto writer = ExportWriter::open(path, "obol_").value();
  ASSERT_TRUE(writer.write(ExportHeader{.key_prefix = "obol_", .server = "a server", .created_at = {}}));
  write(victim, "planted\n");
  std::filesystem::rename(victim, path + ".partial");
  const auto finished = writer.finish();
  ASSERT_FALSE(finished);
  EXPECT_NE(finished.error().message.find("somebody replaced"), std::string::npos) << finished.error().message;
}

TEST_F(OwnFile, OfAnExportGetsItsNameWhereAFileSystemKnowsNoFlagsAndReplacesNone) {
  file_system_knows_flags = false;
  const auto finish = [&](bool is_taken) {
    auto writer = ExportWriter::open(path, "obol_").value();
    EXPECT_TRUE(writer.write(ExportHeader{.key_prefix = "obol_", .server = "a server", .created_at = {}}));
    if (is_taken) write(path, "precious");
    return writer.finish();
  };
  EXPECT_FALSE(finish(true));
  EXPECT_EQ(contents(path), "precious");
  std::filesystem::remove(path);
  EXPECT_TRUE(finish(false));
  EXPECT_TRUE(ExportReader::open(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  file_system_knows_flags = true;
}

TEST_F(OwnFile, OfAnExportIsWrittenByOneAtATime) {
  const auto first = ExportWriter::open(path, "obol_");
  ASSERT_TRUE(first);
  const auto second = ExportWriter::open(path, "obol_");
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another obolctl"), std::string::npos) << second.error().message;
}

TEST_F(OwnFile, OfAnImportIsBelievedOnlyIfNobodyElseCanHaveWrittenIt) {
  const ImportProgress expected{.target = "target", .sha256 = "sum", .offset = 0};
  ASSERT_TRUE(write_import_progress(path, {.target = "target", .sha256 = "sum", .offset = 7}));
  EXPECT_EQ(read_import_progress(path, expected).value().value().offset, 7U);
  ASSERT_EQ(::chmod(import_progress_path(path).c_str(), 0666), 0);
  expect_refused(read_import_progress(path, expected), "mode");
  remove_import_progress(path);
  EXPECT_FALSE(read_import_progress(path, expected).value());
}

}}  // namespace obol::ctl
