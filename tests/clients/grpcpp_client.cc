// Makes one call with grpc++ and prints what came of it, a line per fact.
//
//   grpcpp_client ADDRESS /package.Service/Method [messages=N] [timeout_ms=T] [gzip=1]
//                 [meta:KEY=VALUE ...] < message
//
// Sends the message on standard input N times (1) on one stream, closes its side, and reads to the
// end. A unary method is a stream of one message each way, so this serves all four shapes. Prints
// "initial KEY HEX", "message HEX", "trailer KEY HEX", and at last "status CODE HEX-OF-TEXT".
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

std::string Hex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text.empty() ? "-" : text;
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

using Pairs = std::multimap<grpc::string_ref, grpc::string_ref>;
void Print(const char* what, const Pairs& pairs) {
  for (const auto& [key, value] : pairs) {
    std::cout << what << ' ' << std::string(key.data(), key.size()) << ' '
              << Hex(std::string(value.data(), value.size())) << '\n';
  }
}

// Waits for the one operation under way; whether it succeeded.
bool Next(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: grpcpp_client ADDRESS METHOD [option ...] < message\n";
    return 2;
  }
  int messages = 1;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  for (int i = 3; i < argc; ++i) {
    const std::string option = argv[i];
    const size_t equals = option.find('=');
    const std::string name = option.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
    if (name == "messages") {
      messages = std::atoi(value.c_str());
    } else if (name == "timeout_ms") {
      context.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::milliseconds(std::atoi(value.c_str())));
    } else if (name == "gzip") {
      context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    } else if (name.rfind("meta:", 0) == 0) {
      context.AddMetadata(name.substr(5), value);
    } else {
      std::cerr << "unknown option " << option << '\n';
      return 2;
    }
  }
  const std::string message{std::istreambuf_iterator<char>(std::cin), {}};

  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(argv[1], grpc::InsecureChannelCredentials(), arguments));
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&context, argv[2], &queue);
  stream->StartCall(nullptr);
  if (Next(queue)) {
    const grpc::Slice slice(message);
    for (int i = 0; i < messages; ++i) {
      stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
      if (!Next(queue)) break;
    }
    stream->WritesDone(nullptr);
    Next(queue);
    for (;;) {
      grpc::ByteBuffer answer;
      stream->Read(&answer, nullptr);
      if (!Next(queue)) break;
      std::cout << "message " << Hex(ToString(answer)) << '\n';
    }
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  Next(queue);
  Print("initial", context.GetServerInitialMetadata());
  Print("trailer", context.GetServerTrailingMetadata());
  std::cout << "status " << status.error_code() << ' ' << Hex(status.error_message()) << '\n';
  return 0;
}
