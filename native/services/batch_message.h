// The message of a batch, and its answer cut into the members' answers.
#ifndef SKYSAIL_SERVICES_BATCH_MESSAGE_H_
#define SKYSAIL_SERVICES_BATCH_MESSAGE_H_

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/slice.h"
#include "base/status.h"
#include "oip/signature.h"
#include "services/work.h"

namespace skysail::services {

// What is sent to a replica: the members' rows stacked in order, without ids and without reserved
// parameters. Tensor bytes are not copied. Requires members of one batch group; one member when the
// model is not stackable.
Bytes BatchRequest(const std::vector<std::unique_ptr<Work>>& members, std::string_view model,
                   std::string_view version);

// The members' payloads, in order. Internal when the replica's answer is not what the signature
// promises; without a signature only the form of the message is checked.
Result<std::vector<Bytes>> CutAnswer(const Slice& answer,
                                     const std::vector<std::unique_ptr<Work>>& members,
                                     const std::optional<oip::Signature>& signature);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_BATCH_MESSAGE_H_
