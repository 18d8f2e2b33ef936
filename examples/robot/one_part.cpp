// One part in C++: c++ -std=c++17 -O2 one_part.cpp voxgate.c -lzmq -lpthread -o one_part
// Arguments, output and exit code are those of one_part.c.
#include <atomic>
#include <chrono>
#include <exception>
#include <iomanip>
#include <iostream>
#include <thread>

#include "voxgate.hpp"

namespace {

std::int64_t robot_clock_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

voxgate::Answer one_part(voxgate::Box& box, const std::string& job, const std::string& part,
                         const std::string& recipe) {
  if (!box.ready(30000) || !box.start(job, part, recipe, 5000)) return {false, "the job was not started"};
  std::cout << "MOVE" << std::endl;
  std::string line;
  if (!std::getline(std::cin, line)) return {false, "nobody said that the last exposure is over"};
  return box.stop(job, 30000);
}

// Of a tray: whom to pick out, and where it stands.
void say_odd(const voxgate::Box& box) {
  std::cout << std::fixed << std::setprecision(1);
  for (const auto& part : box.instances()) {
    const auto* at = part.centre_base_mm;
    if (part.oddity != VOXGATE_REGULAR)
      std::cout << " ODD " << part.id << " at " << at[0] << ' ' << at[1] << ' ' << at[2] << " mm";
  }
}

int run(char** given, bool encrypted) {
  voxgate_options options{};
  options.poses = given[1];
  options.commands = given[2];
  options.verdicts = given[3];
  options.cell = given[4];
  if (encrypted) {
    options.public_key = given[8];
    options.secret_key = given[9];
    options.box_key = given[10];
  }
  options.accept_simulated = 1;  // on a line: 0
  voxgate::Box box(options);
  std::atomic<bool> standing{true};
  std::thread poses([&] {  // a real robot says where it is
    for (std::uint64_t seq = 0; standing; ++seq) {
      box.pose(seq, robot_clock_ns(), {500, 0, 500}, {1, 0, 0, 0});
      std::this_thread::sleep_for(std::chrono::milliseconds(8));
    }
  });
  const auto answer = one_part(box, given[5], given[6], given[7]);
  standing = false;
  poses.join();
  std::cout << (answer.passed ? "PASSED " : "NOT PASSED ") << answer.why;
  say_odd(box);
  std::cout << std::endl;
  return answer.passed ? 0 : 1;
}

}  // namespace

int main(int count, char** given) {
  if (count != 8 && count != 11) {
    std::cerr << "usage: " << given[0] << " POSES COMMANDS VERDICTS CELL JOB PART RECIPE [PUBLIC SECRET BOX]\n";
    return 2;
  }
  try {
    return run(given, count == 11);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
