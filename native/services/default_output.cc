#include "services/default_output.h"

#include <utility>

#include "oip/response.h"
#include "oip/transform.h"

namespace skysail::services {

Result<DefaultOutput> DefaultOutput::Make(const Slice& one_row) {
  Slice message = one_row;
  oip::ResponseView view;
  Status status = oip::ParseResponse(message.view(), &view);
  if (status.ok() && !oip::IsRaw(view)) {
    Result<Slice> raw = oip::NormalizeResponse(view);
    if (!raw.ok()) return InvalidArgument(raw.status().message());
    message = std::move(raw.value());
    view.Clear();
    status = oip::ParseResponse(message.view(), &view);
  }
  if (!status.ok()) return InvalidArgument(status.message());
  if (view.outputs.empty()) return InvalidArgument("it holds no outputs");
  const bool repeats = oip::RepeatRows(view, 1).ok();
  return DefaultOutput(message, oip::PayloadOf(message, view), repeats);
}

Result<Bytes> DefaultOutput::PayloadFor(int64_t rows) const {
  if (rows == 1 || !repeats_) return one_row_;
  oip::ResponseView view;
  Status status = oip::ParseResponse(message_.view(), &view);
  if (!status.ok()) return status;
  return oip::RepeatRows(view, rows);
}

}  // namespace skysail::services
