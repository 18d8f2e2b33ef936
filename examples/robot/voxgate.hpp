// The same in C++: what is opened is closed, and an answer is a type that must be looked at.
#ifndef VOXGATE_HPP
#define VOXGATE_HPP

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "voxgate.h"

namespace voxgate {

struct [[nodiscard]] Answer {
  bool passed = false;  // only true when the box said PASS for this job and is still alive
  std::string why;
};

class Box {
 public:
  // Throws std::invalid_argument for an endpoint or a key that cannot be used.
  explicit Box(const voxgate_options& options) : box_(voxgate_open(&options), voxgate_close) {
    if (!box_) throw std::invalid_argument("voxgate: an endpoint or a key cannot be used");
  }

  bool pose(std::uint64_t seq, std::int64_t t_robot_ns, const std::array<double, 3>& p_mm,
            const std::array<double, 4>& q_wxyz) {
    return voxgate_pose(box_.get(), seq, t_robot_ns, p_mm.data(), q_wxyz.data()) == 0;
  }
  bool alive() { return voxgate_alive(box_.get()) != 0; }
  bool ready(int timeout_ms) { return voxgate_ready(box_.get(), timeout_ms) != 0; }
  bool prepare(const std::string& recipe, int timeout_ms) {
    return voxgate_prepare(box_.get(), recipe.c_str(), timeout_ms) == 0;
  }
  // recipe: name/version that this part is for
  bool start(const std::string& job_id, const std::string& part_id, const std::string& recipe,
             int timeout_ms) {
    return voxgate_start(box_.get(), job_id.c_str(), part_id.c_str(), recipe.c_str(), timeout_ms) == 0;
  }
  Answer stop(const std::string& job_id, int timeout_ms) {
    std::array<char, 512> why{};
    const auto answer = voxgate_stop(box_.get(), job_id.c_str(), timeout_ms, why.data(), why.size());
    return {answer == VOXGATE_PASSED, why.data()};
  }
  // Of a tray, the parts that the last stop answered for.
  std::vector<voxgate_instance> instances() const {
    std::vector<voxgate_instance> found(VOXGATE_MOST_INSTANCES);
    found.resize(voxgate_instances(box_.get(), found.data(), VOXGATE_MOST_INSTANCES));
    return found;
  }

 private:
  std::unique_ptr<voxgate_box, void (*)(voxgate_box*)> box_;
};

}  // namespace voxgate
#endif
