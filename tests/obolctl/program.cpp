// Starts obolctl with its output in files, so that no pipe can fill up.
#include "obolctl/program.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/hex.hpp"

namespace obol::testing {
namespace {

std::filesystem::path new_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "obolctl-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  return name;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

void redirect(const std::string& path, int flags, int descriptor) {
  ::dup2(::open(path.c_str(), flags, 0600), descriptor);
}

}  // namespace

Program::Program(std::vector<std::string> arguments, const Environment& environment, const std::string& input)
    : folder_(new_folder()) {
  arguments.insert(arguments.begin(), OBOL_TEST_OBOLCTL);
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  const auto in = (folder_ / "in").string();
  const auto out = (folder_ / "out").string();
  const auto err = (folder_ / "err").string();
  std::ofstream(in) << input;
  auto words = pointers_to(arguments);
  auto values = pointers_to(variables);
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    redirect(in, O_RDONLY, 0);
    redirect(out, O_WRONLY | O_CREAT, 1);
    redirect(err, O_WRONLY | O_CREAT, 2);
    ::execve(words[0], words.data(), values.data());
    ::_exit(127);
  }
}

Program::~Program() {
  if (process_ > 0) {
    signal(SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  std::filesystem::remove_all(folder_);
}

void Program::signal(int number) const { ::kill(process_, number); }

bool Program::has_ended() const {
  siginfo_t information{};
  return ::waitid(P_PID, static_cast<id_t>(process_), &information, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         information.si_pid == process_;
}

Outcome Program::wait() {
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = contents((folder_ / "out").string()),
          .err = contents((folder_ / "err").string())};
}

Program::Environment environment_for(const TestServer& server) {
  return {{"OBOL_REDIS_URI", "unix://" + server.socket_path()}, {"OBOL_SECRET", secret()}};
}

std::string secret(char fill) { return "hex-key:" + to_hex(std::string(32, fill)); }

Folder::Folder() : path_(new_folder()) {}
Folder::~Folder() { std::filesystem::remove_all(path_); }

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace obol::testing
