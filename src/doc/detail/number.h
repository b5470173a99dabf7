#pragma once
// Numbers as text, the way Go prints them: Kubernetes' tools compare these bytes.
#include <string>

namespace slipway::doc {

// As encoding/json: plain digits, an exponent only below 1e-6 or from 1e21.
std::string json_number(double value);
// As strconv.FormatFloat(value, 'g', -1, 64): an exponent below 1e-4 or from 1e+06.
std::string yaml_number(double value);

}  // namespace slipway::doc
