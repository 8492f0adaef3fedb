// Runs obolctl as a process of its own: with arguments and an environment in, output and exit status out.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/test_server.hpp"

namespace obol::testing {

struct Outcome {
  int status = -1;  ///< Of exit; 128 + the signal where one ended it.
  std::string out;
  std::string err;
};

class Program {
 public:
  using Environment = std::map<std::string, std::string>;

  Program(std::vector<std::string> arguments, const Environment& environment, const std::string& input = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number) const;
  bool has_ended() const;
  Outcome wait();

 private:
  std::filesystem::path folder_;
  pid_t process_ = -1;
};

/// The environment that leads to a server: with the key that tests sign with, as `hex-key:`.
Program::Environment environment_for(const TestServer& server);

/// A secret for a key of 32 times this letter, the one of signing_key().
std::string secret(char fill = 'k');

/// A folder for one test.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string contents(const std::string& path);

}  // namespace obol::testing
