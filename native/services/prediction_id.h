// The identity of a prediction: unique, and telling when, for which application and for whom, so
// that feedback can be routed without a look-up.
#ifndef SKYSAIL_SERVICES_PREDICTION_ID_H_
#define SKYSAIL_SERVICES_PREDICTION_ID_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/infer_call.h"

namespace skysail::services {

inline constexpr size_t kPredictionHexDigits = 32;

// Pure: big-endian milliseconds since the epoch, 24 bits of each hash, 32 random bits.
PredictionId MakePrediction(uint64_t epoch_ms, std::string_view application,
                            std::string_view context, uint32_t random);
// With the present time and this thread's random source.
PredictionId MintPrediction(std::string_view application, std::string_view context);

bool IsMinted(const PredictionId& id);
// A number that is spread evenly over predictions: for decisions that have no context to stick to.
uint64_t Spread(const PredictionId& id);

// Writes kPredictionHexDigits characters.
void PredictionToHex(const PredictionId& id, char* out);
// False unless `text` is 32 hexadecimal digits.
bool PredictionFromHex(std::string_view text, PredictionId* id);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_PREDICTION_ID_H_
