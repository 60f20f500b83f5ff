#include "oasst_messages.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "plumb/error.h"

namespace plumb::files {
namespace {

constexpr int kDepthLimit = 500;

TreeMessage parse(const Value& message, const JsonFields& json) {
  TreeMessage out;
  out.id = json.text(message, "message_id");
  out.parent = json.text_or(message, "parent_id", "");
  const std::string& role = json.text(message, "role");
  if (role != "prompter" && role != "assistant") {
    json.fail(json.need(message, "role"), "role `" + role + "`; wanted prompter or assistant");
  }
  out.role = role == "prompter" ? "user" : "assistant";
  out.text = json.text(message, "text");
  out.language = json.text_or(message, "lang", "");
  if (json.find(message, "rank") != nullptr) out.rank = json.integer(message, "rank");
  out.kept = !json.flag_or(message, "deleted", false) && json.flag_or(message, "review_result", true);
  return out;
}

}  // namespace

void MessageTrees::add(const Value& message, const JsonFields& json, const std::string& parent) {
  TreeMessage parsed = parse(message, json);
  if (!parent.empty()) parsed.parent = parent;
  const std::string id = parsed.id;
  if (!by_id_.emplace(id, messages_.size()).second)
    return;  // a message file may also hold each message among the replies
  messages_.push_back(std::move(parsed));
  const Value* replies = json.find(message, "replies");
  if (replies == nullptr) return;
  for (const Value& reply : json.as_list(*replies, "replies")) add(reply, json, id);
}

void MessageTrees::add_tree(const Value& row, const JsonFields& json) {
  add(json.need(row, "prompt"), json, {});
}

void MessageTrees::add_message(const Value& row, const JsonFields& json) {
  add(row, json, {});
}

std::size_t MessageTrees::link() {
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    if (messages_[i].parent.empty()) {
      roots_.push_back(i);
    } else if (const auto parent = by_id_.find(messages_[i].parent); parent != by_id_.end()) {
      messages_[parent->second].replies.push_back(i);
    }
  }
  std::size_t reached = 0;
  std::vector<std::pair<std::size_t, int>> open;  // with the depth
  for (const std::size_t root : roots_) open.emplace_back(root, 0);
  while (!open.empty()) {
    const auto [index, depth] = open.back();
    open.pop_back();
    ++reached;
    if (depth == kDepthLimit) {
      throw Error(ErrorCode::data, "the conversation that leads to message " + messages_[index].id + " has more than " +
                                       std::to_string(kDepthLimit) + " turns");
    }
    for (const std::size_t reply : messages_[index].replies) open.emplace_back(reply, depth + 1);
  }
  return messages_.size() - reached;
}

std::vector<std::size_t> MessageTrees::ranked_replies(std::size_t index) const {
  std::vector<std::size_t> out;
  for (const std::size_t reply : messages_[index].replies) {
    if (messages_[reply].kept) out.push_back(reply);
  }
  const auto place = [this](std::size_t i) {
    return messages_[i].rank.value_or(std::numeric_limits<std::int64_t>::max());
  };
  std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  return out;
}

}  // namespace plumb::files
