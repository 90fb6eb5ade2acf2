// loadgen: one thread that loads a server, checks its answers and prints what it saw.
#include <csignal>
#include <cstdio>

#include "loadgen/bodies.h"
#include "loadgen/driver.h"
#include "loadgen/options.h"

int main(int argc, char** argv) {
  namespace loadgen = skysail::loadgen;
  std::signal(SIGPIPE, SIG_IGN);
  const loadgen::Options options = loadgen::ParseOptions(argc, argv);
  loadgen::Bodies bodies(options, options.protocol == loadgen::Protocol::kH2);
  const loadgen::Report report = loadgen::Driver(options, &bodies).Run();
  std::printf("%s\n", report.ToJson().c_str());
  return report.all_ok > 0 ? 0 : 1;
}
