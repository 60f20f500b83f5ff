#include "framework/engine/distributed/texts.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <sstream>

#include "framework/core/artifacts/records_file.h"

namespace plumb {

std::string floats_as_text(const at::Tensor& values) {
  const at::Tensor here = values.detach().to(at::kCPU, at::kFloat).contiguous();
  return {reinterpret_cast<const char*>(here.const_data_ptr<float>()),
          static_cast<std::size_t>(here.numel()) * sizeof(float)};
}

at::Tensor floats_of_text(std::string_view text) {
  at::Tensor values = at::empty({static_cast<std::int64_t>(text.size() / sizeof(float))}, at::kFloat);
  if (!text.empty()) std::memcpy(values.mutable_data_ptr<float>(), text.data(), text.size());
  return values;
}

std::string groups_as_text(std::span<const ResponseGroup> groups) {
  std::string text;
  for (const ResponseGroup& group : groups) text += to_json(to_value(group)) + "\n";
  return text;
}

std::vector<ResponseGroup> groups_of_text(const std::string& text, const std::string& who) {
  std::vector<ResponseGroup> groups;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) groups.push_back(group_from(parse_json(line, who), who).value());
  return groups;
}

}  // namespace plumb
