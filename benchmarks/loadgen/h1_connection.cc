#include "loadgen/h1_connection.h"

#include <strings.h>

#include <charconv>

namespace skysail::loadgen {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";
constexpr std::string_view kLength = "\r\ncontent-length:";

// The value of content-length in `head`, or -1.
int64_t ContentLength(std::string_view head) {
  for (size_t at = 0; (at = head.find("\r\n", at)) != std::string_view::npos; at += 2) {
    if (head.size() - at < kLength.size() ||
        strncasecmp(head.data() + at, kLength.data(), kLength.size()) != 0) {
      continue;
    }
    std::string_view value = head.substr(at + kLength.size());
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    int64_t length = -1;
    std::from_chars(value.data(), value.data() + value.size(), length);
    return length;
  }
  return -1;
}

}  // namespace

H1Connection::H1Connection(const Options& options, const Bodies* bodies, CallSink* sink)
    : Connection(options, bodies, sink) {
  head_ = "POST " + options.path + " HTTP/1.1\r\nhost: " + options.target + "\r\n";
  for (const auto& [name, value] : options.headers) head_ += name + ": " + value + "\r\n";
  head_ += "content-length: ";
}

void H1Connection::Start(const Call& call) {
  call_ = call;
  outstanding_ = 1;
  out_ += head_;
  out_ += std::to_string(bodies_.request(call.body).size());
  out_ += kEnd;
  AppendRequest(call.body);
}

int64_t H1Connection::Consume(std::string_view data) {
  const size_t head_size = data.find(kEnd);
  if (head_size == std::string_view::npos) return 0;
  const std::string_view head = data.substr(0, head_size);
  const int64_t length = ContentLength(head);
  if (outstanding_ == 0 || length < 0 || head.substr(0, 7) != "HTTP/1.") return -1;
  const size_t body_start = head_size + kEnd.size();
  if (data.size() - body_start < static_cast<size_t>(length)) return 0;
  outstanding_ = 0;
  const std::string_view status = head.substr(head.find(' ') + 1, 3);
  if (status == "200") {
    sink_.OnAnswer(call_, data.substr(body_start, static_cast<size_t>(length)));
  } else {
    sink_.OnFailure(call_, "http-" + std::string(status));
  }
  return static_cast<int64_t>(body_start) + length;
}

void H1Connection::FailAll(std::string_view error) {
  if (outstanding_ > 0) sink_.OnFailure(call_, error);
}

}  // namespace skysail::loadgen
