#include "loadgen/bodies.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>

namespace skysail::loadgen {
namespace {

constexpr std::string_view kMagic = "SKYBODY1";
constexpr size_t kZipfDraws = 1 << 18;

[[noreturn]] void Refuse(const std::string& path, const char* why) {
  std::fprintf(stderr, "loadgen: %s: %s\n", path.c_str(), why);
  std::exit(2);
}

// Takes `size` bytes off the front of `rest`.
std::string_view Take(std::string_view* rest, size_t size, const std::string& path) {
  if (rest->size() < size) Refuse(path, "ends inside a body");
  const std::string_view taken = rest->substr(0, size);
  rest->remove_prefix(size);
  return taken;
}

uint32_t TakeU32(std::string_view* rest, const std::string& path) {
  uint32_t value;
  std::memcpy(&value, Take(rest, sizeof value, path).data(), sizeof value);
  return value;
}

std::vector<uint32_t> ZipfOrder(uint32_t bodies, double exponent, uint64_t seed) {
  std::vector<double> cumulative(bodies);
  double sum = 0;
  for (uint32_t i = 0; i < bodies; ++i) {
    sum += std::pow(i + 1, -exponent);
    cumulative[i] = sum;
  }
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, sum);
  std::vector<uint32_t> order(kZipfDraws);
  for (uint32_t& body : order) {
    const auto at = std::upper_bound(cumulative.begin(), cumulative.end(), uniform(random));
    body = std::min(static_cast<uint32_t>(at - cumulative.begin()), bodies - 1);
  }
  return order;
}

}  // namespace

Bodies::Bodies(const Options& options, bool prefix_grpc) {
  std::ifstream file(options.bodies, std::ios::binary);
  if (!file) Refuse(options.bodies, "cannot be read");
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  std::string_view rest = content;
  if (Take(&rest, kMagic.size(), options.bodies) != kMagic) {
    Refuse(options.bodies, "does not begin with SKYBODY1");
  }
  const uint32_t count = TakeU32(&rest, options.bodies);
  const uint32_t used = options.first > 0 ? std::min(options.first, count) : count;
  if (used == 0) Refuse(options.bodies, "holds no body");

  arena_.reserve(content.size() + 5 * size_t{count});  // views into it must stay valid
  bodies_.reserve(used);
  for (uint32_t i = 0; i < used; ++i) {
    const std::string_view request = Take(&rest, TakeU32(&rest, options.bodies), options.bodies);
    const std::string_view expected = Take(&rest, TakeU32(&rest, options.bodies), options.bodies);
    const size_t start = arena_.size();
    if (prefix_grpc) {
      const auto size = static_cast<uint32_t>(request.size());
      const char prefix[5] = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                              static_cast<char>(size >> 8), static_cast<char>(size)};
      arena_.append(prefix, sizeof prefix);
    }
    arena_.append(request);
    const size_t middle = arena_.size();
    arena_.append(expected);
    const std::string_view arena = arena_;
    bodies_.push_back({arena.substr(start, middle - start), arena.substr(middle)});
    largest_request_ = std::max(largest_request_, static_cast<uint32_t>(middle - start));
    const size_t varied = static_cast<size_t>(options.vary) + 2 * sizeof(float);
    if (options.vary >= 0 && request.size() < varied) {
      Refuse(options.bodies, "has a body too short for --vary");
    }
  }
  if (options.zipf > 0) {
    order_ = ZipfOrder(used, options.zipf, options.seed);
  } else {
    order_.resize(used);
    std::iota(order_.begin(), order_.end(), 0);
  }
}

}  // namespace skysail::loadgen
