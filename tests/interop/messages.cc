#include "messages.h"

#include "oip/wire.h"

namespace skysail::interop {
namespace {

using oip::wire::AppendBytes;
using oip::wire::AppendTag;
using oip::wire::AppendVarint;
using oip::wire::Field;
using oip::wire::Reader;
using oip::wire::Type;

void AppendNumber(std::string* out, int field, uint64_t value) {
  if (value == 0) return;
  AppendTag(out, field, Type::kVarint);
  AppendVarint(out, value);
}

void AppendBool(std::string* out, int field, std::optional<bool> value) {
  if (!value) return;
  std::string message;
  AppendNumber(&message, 1, *value ? 1 : 0);
  AppendBytes(out, field, message);
}

void AppendPayload(std::string* out, int field, std::string_view body) {
  if (body.empty()) return;
  std::string message;
  AppendBytes(&message, 2, body);
  AppendBytes(out, field, message);
}

void AppendStatus(std::string* out, int field, const std::optional<EchoStatus>& status) {
  if (!status) return;
  std::string message;
  AppendNumber(&message, 1, status->code);
  AppendBytes(&message, 2, status->message);
  AppendBytes(out, field, message);
}

// Hands every field of `message` to `visit`; Internal when it is malformed.
template <typename Visit>
Status ForEachField(std::string_view message, Visit visit) {
  Reader reader(message);
  Field field;
  while (reader.Next(&field)) visit(field);
  return reader.ok() ? Status::Ok() : Internal("the message is malformed");
}

bool ReadBool(std::string_view message) {
  bool value = false;
  ForEachField(message, [&](const Field& field) {
    if (field.number == 1) value = field.value != 0;
  });
  return value;
}

std::string_view ReadBody(std::string_view payload) {
  std::string_view body;
  ForEachField(payload, [&](const Field& field) {
    if (field.number == 2) body = field.bytes;
  });
  return body;
}

EchoStatus ReadStatus(std::string_view message) {
  EchoStatus status;
  ForEachField(message, [&](const Field& field) {
    if (field.number == 1) status.code = static_cast<int>(field.value);
    if (field.number == 2) status.message = field.bytes;
  });
  return status;
}

ResponseParameters ReadParameters(std::string_view message) {
  ResponseParameters parameters;
  ForEachField(message, [&](const Field& field) {
    if (field.number == 1) parameters.size = field.value;
    if (field.number == 3) parameters.compressed = ReadBool(field.bytes);
  });
  return parameters;
}

}  // namespace

std::string Encode(const SimpleRequest& request) {
  std::string message;
  AppendNumber(&message, 2, request.response_size);
  AppendPayload(&message, 3, std::string(request.payload_size, '\0'));
  AppendBool(&message, 6, request.response_compressed);
  AppendStatus(&message, 7, request.response_status);
  AppendBool(&message, 8, request.expect_compressed);
  return message;
}

std::string Encode(const StreamingOutputCallRequest& request) {
  std::string message;
  for (const ResponseParameters& parameters : request.response_parameters) {
    std::string wanted;
    AppendNumber(&wanted, 1, parameters.size);
    AppendBool(&wanted, 3, parameters.compressed);
    AppendBytes(&message, 2, wanted);
  }
  AppendPayload(&message, 3, std::string(request.payload_size, '\0'));
  AppendStatus(&message, 7, request.response_status);
  return message;
}

std::string Encode(const StreamingInputCallRequest& request) {
  std::string message;
  AppendPayload(&message, 1, std::string(request.payload_size, '\0'));
  AppendBool(&message, 2, request.expect_compressed);
  return message;
}

std::string EncodePayload(std::string_view body) {
  std::string message;
  AppendPayload(&message, 1, body);
  return message;
}

std::string EncodeAggregatedSize(size_t size) {
  std::string message;
  AppendNumber(&message, 1, size);
  return message;
}

Result<SimpleRequest> ParseSimpleRequest(std::string_view message) {
  SimpleRequest request;
  const Status read = ForEachField(message, [&](const Field& field) {
    if (field.number == 2) request.response_size = field.value;
    if (field.number == 3) request.payload_size = ReadBody(field.bytes).size();
    if (field.number == 6) request.response_compressed = ReadBool(field.bytes);
    if (field.number == 7) request.response_status = ReadStatus(field.bytes);
    if (field.number == 8) request.expect_compressed = ReadBool(field.bytes);
  });
  if (!read.ok()) return read;
  return request;
}

Result<StreamingOutputCallRequest> ParseStreamingOutputCallRequest(std::string_view message) {
  StreamingOutputCallRequest request;
  const Status read = ForEachField(message, [&](const Field& field) {
    if (field.number == 2) request.response_parameters.push_back(ReadParameters(field.bytes));
    if (field.number == 3) request.payload_size = ReadBody(field.bytes).size();
    if (field.number == 7) request.response_status = ReadStatus(field.bytes);
  });
  if (!read.ok()) return read;
  return request;
}

Result<StreamingInputCallRequest> ParseStreamingInputCallRequest(std::string_view message) {
  StreamingInputCallRequest request;
  const Status read = ForEachField(message, [&](const Field& field) {
    if (field.number == 1) request.payload_size = ReadBody(field.bytes).size();
    if (field.number == 2) request.expect_compressed = ReadBool(field.bytes);
  });
  if (!read.ok()) return read;
  return request;
}

Result<std::string> ParsePayload(std::string_view message) {
  std::string body;
  const Status read = ForEachField(message, [&](const Field& field) {
    if (field.number == 1) body = ReadBody(field.bytes);
  });
  if (!read.ok()) return read;
  return body;
}

Result<size_t> ParseAggregatedSize(std::string_view message) {
  size_t size = 0;
  const Status read = ForEachField(message, [&](const Field& field) {
    if (field.number == 1) size = field.value;
  });
  if (!read.ok()) return read;
  return size;
}

}  // namespace skysail::interop
