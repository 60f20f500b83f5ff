// The messages of an Open-Assistant export as trees, from rows that hold whole trees or single messages.
//
//   MessageTrees trees;
//   trees.add_tree(row, json);                    // {"message_tree_id", "prompt": {… "replies": […]}}
//   trees.add_message(row, json);                 // {"message_id", "parent_id", …}
//   trees.link();
//   for (std::size_t root : trees.roots()) …
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "plumb/json_fields.h"

namespace plumb::files {

struct TreeMessage {
  std::string id, parent;
  std::string role;  // "user" or "assistant"
  std::string text, language;
  std::optional<std::int64_t> rank;  // 0 is the best of its siblings
  bool kept = true;                  // neither deleted nor failed in review
  std::vector<std::size_t> replies;  // in the file's order
};

class MessageTrees {
 public:
  void add_tree(const Value& row, const JsonFields& json);
  void add_message(const Value& row, const JsonFields& json);
  // Finds the replies of every message. A message whose parent is not there, or whose ancestors run in a circle,
  // belongs to no tree; returns how many do. Error(data) for a conversation of more than 500 turns.
  std::size_t link();

  [[nodiscard]] const std::vector<std::size_t>& roots() const { return roots_; }
  [[nodiscard]] const TreeMessage& at(std::size_t index) const { return messages_[index]; }
  [[nodiscard]] bool empty() const { return messages_.empty(); }

  // Replies that are kept, the best first: by rank, unranked ones last, of equals the first in the file.
  [[nodiscard]] std::vector<std::size_t> ranked_replies(std::size_t index) const;

 private:
  void add(const Value& message, const JsonFields& json, const std::string& parent);
  std::vector<TreeMessage> messages_;
  std::unordered_map<std::string, std::size_t> by_id_;
  std::vector<std::size_t> roots_;
};

}  // namespace plumb::files
