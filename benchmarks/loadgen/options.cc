#include "loadgen/options.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string_view>

namespace skysail::loadgen {
namespace {

constexpr char kUsage[] = R"(loadgen --target HOST:PORT|unix:PATH --bodies FILE [options]

  --path PATH            method path (default /inference.GRPCInferenceService/ModelInfer)
  --protocol h2|h1       gRPC over HTTP/2, or HTTP/1.1 with one call in flight a connection
  --answer raw-outputs|suffix|contains   how an answer is compared with the expected bytes
  --header 'NAME: VALUE' sent with every call; may be repeated
  --connections N        (1)
  --streams N            calls in flight on each connection (1)
  --rate R               open loop: Poisson arrivals a second; 0 is a closed loop (0)
  --max-outstanding N    open loop: arrivals over this are failed unsent (4096)
  --seed N               of arrivals, of the Zipf draw and of varied bodies (1)
  --warmup-s S           answered but not measured (0.5)
  --duration-s S         measured (2)
  --count N              stop after N measured answers (0: by time)
  --drain-s S            await the last answers so long (2)
  --check-every K        compare every K-th answer (16)
  --zipf S --first K     draw from the first K bodies, rank r with probability ~ 1/r^S
  --vary OFFSET          write the floats +n, -n into each body at OFFSET, another n for each call

Prints one line of JSON. Exit status: 0 when calls were answered, 1 when none was, 2 for bad usage.
)";

[[noreturn]] void Refuse(const std::string& why) {
  std::fprintf(stderr, "loadgen: %s\n\n%s", why.c_str(), kUsage);
  std::exit(2);
}

double Number(const std::string& name, const char* text, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= low && value <= high)) {
    Refuse(name + " wants a number from " + std::to_string(low) + " to " + std::to_string(high) +
           ", got '" + text + "'");
  }
  return value;
}

}  // namespace

Options ParseOptions(int argc, char** argv) {
  Options o;
  bool answer_given = false;
  const auto number = [](auto* field, double low, double high) {
    using Field = std::remove_reference_t<decltype(*field)>;
    return [field, low, high](const std::string& name, const char* text) {
      *field = static_cast<Field>(Number(name, text, low, high));
    };
  };
  const auto text = [](std::string* field) {
    return [field](const std::string&, const char* value) { *field = value; };
  };
  const std::map<std::string, std::function<void(const std::string&, const char*)>> known = {
      {"--target", text(&o.target)},
      {"--bodies", text(&o.bodies)},
      {"--path", text(&o.path)},
      {"--connections", number(&o.connections, 1, 4096)},
      {"--streams", number(&o.streams, 1, 4096)},
      {"--rate", number(&o.rate, 0, 1e8)},
      {"--max-outstanding", number(&o.max_outstanding, 1, 1 << 20)},
      {"--seed", number(&o.seed, 0, 1e15)},
      {"--warmup-s", number(&o.warmup_s, 0, 3600)},
      {"--duration-s", number(&o.duration_s, 0.01, 3600)},
      {"--count", number(&o.count, 0, 1e12)},
      {"--drain-s", number(&o.drain_s, 0, 60)},
      {"--check-every", number(&o.check_every, 1, 1e9)},
      {"--zipf", number(&o.zipf, 0, 10)},
      {"--first", number(&o.first, 0, 1e9)},
      {"--vary", number(&o.vary, 0, 1 << 20)},
      {"--protocol",
       [&o](const std::string& name, const char* value) {
         if (std::strcmp(value, "h2") != 0 && std::strcmp(value, "h1") != 0) {
           Refuse(name + " is h2 or h1, got '" + value + "'");
         }
         o.protocol = std::strcmp(value, "h1") == 0 ? Protocol::kH1 : Protocol::kH2;
       }},
      {"--answer",
       [&o, &answer_given](const std::string& name, const char* value) {
         const std::map<std::string_view, AnswerCheck> checks = {
             {"raw-outputs", AnswerCheck::kRawOutputs},
             {"suffix", AnswerCheck::kSuffix},
             {"contains", AnswerCheck::kContains}};
         const auto found = checks.find(value);
         if (found == checks.end()) {
           Refuse(name + " is raw-outputs, suffix or contains, got '" + value + "'");
         }
         o.answer = found->second;
         answer_given = true;
       }},
      {"--header",
       [&o](const std::string& name, const char* value) {
         const char* colon = std::strstr(value, ": ");
         if (colon == nullptr || colon == value) Refuse(name + " wants 'NAME: VALUE'");
         o.headers.emplace_back(std::string(value, colon), std::string(colon + 2));
       }},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto option = known.find(argv[i]);
    if (option == known.end()) Refuse(std::string("unknown option '") + argv[i] + "'");
    if (i + 1 == argc) Refuse(std::string(argv[i]) + " wants a value");
    option->second(argv[i], argv[i + 1]);
  }
  if (o.target.empty()) Refuse("--target is missing");
  if (o.bodies.empty()) Refuse("--bodies is missing");
  if (!answer_given && o.protocol == Protocol::kH1) o.answer = AnswerCheck::kSuffix;
  return o;
}

}  // namespace skysail::loadgen
