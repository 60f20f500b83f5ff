// Data sources: rows of one type, always the same ones.
#include "plumb/data_source.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "plumb/error.h"
#include "sdk/check/context.h"

namespace plumb::check {
namespace {

constexpr int kMost = 400;  // rows that are looked at

std::string text(const Conversation& messages) {
  std::string out;
  for (const Message& message : messages) out += message.role + ":" + message.content + "|";
  return out;
}

struct Row {
  std::string type, id, text;
  Conversation prompt;
};

Row row_of(const Record& record) {
  if (const auto* prompt = std::get_if<Prompt>(&record))
    return {"prompts", prompt->id, text(prompt->messages), prompt->messages};
  if (const auto* shown = std::get_if<Demonstration>(&record)) {
    return {"demonstrations", shown->id, text(shown->messages), shown->messages};
  }
  const auto& pair = std::get<Preference>(record);
  return {"preferences", pair.id, text(pair.prompt.messages) + pair.chosen + "|" + pair.rejected, pair.prompt.messages};
}

std::string use(Context&, Component& component) {
  auto& source = static_cast<DataSource&>(component);
  std::string out;
  for (int i = 0; i < kMost; ++i) {
    const auto record = source.next();
    if (!record) break;
    const Row row = row_of(*record);
    out += row.id + " " + row.text + "\n";
  }
  return out;
}

template <class F>
int each(Context& c, F&& look) {
  Made made = c.make();
  int count = 0;
  for (; count < kMost; ++count) {
    const auto record = made.as<DataSource>().next();
    if (!record) break;
    look(row_of(*record));
  }
  return count;
}

void types(Context& c) {
  std::set<std::string> found;
  const int count = each(c, [&](const Row& row) { found.insert(row.type); });
  require(count > 0, "it has no rows");
  require(found.size() == 1, "it yields rows of several types");
  const auto& promised = c.component->yields;
  const auto knows = [&](const std::string& type) {
    return std::find(promised.begin(), promised.end(), type) != promised.end();
  };
  require(knows(*found.begin()) || (*found.begin() == "demonstrations" && knows("texts")),
          "it yields " + *found.begin() + " and was not registered as yielding them");
}

void ids(Context& c) {
  std::set<std::string> seen;
  each(c, [&](const Row& row) {
    require(!row.id.empty(), "a row has no id");
    require(seen.insert(row.id).second, "two rows have the id " + row.id);
  });
}

void conversations(Context& c) {
  each(c, [&](const Row& row) {
    require(!row.prompt.empty(), "row " + row.id + " has no messages");
    for (const Message& message : row.prompt) {
      require(message.role == "system" || message.role == "user" || message.role == "assistant",
              "row " + row.id + " has a message of role \"" + message.role + "\"");
    }
    require(row.type == "demonstrations" || row.prompt.back().role == "user",
            "the prompt of row " + row.id + " does not end with the user's turn");
  });
}

void end(Context& c) {
  Made made = c.make();
  auto& source = made.as<DataSource>();
  for (int i = 0; i < 100000; ++i) {
    if (source.next()) continue;
    require(!source.next() && !source.next(), "after its end it yields another row");
    return;
  }
  throw Skip{"it has more than 100,000 rows"};
}

void files(Context& c) {
  Made made = c.make();
  for (const std::string& file : made.as<DataSource>().files()) {
    require(std::filesystem::exists(file), "it names the file " + file + ", which does not exist");
  }
  const Value* path = c.params().find("path");
  require(path == nullptr || !made.as<DataSource>().files().empty(),
          "it reads a path and names no files; results would be kept when the data changes");
}

// Half a file: rows, or an error that names the file; nothing worse.
void damaged(Context& c) {
  const Value* path = c.params().find("path");
  if (path == nullptr || !std::filesystem::is_regular_file(path->as_string())) throw Skip{"it reads no single file"};
  std::ifstream in(path->as_string(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const auto copy =
      std::filesystem::temp_directory_path() /
      ("plumb-check-" + std::to_string(getpid()) + std::filesystem::path(path->as_string()).filename().string());
  std::string problem;
  for (const std::size_t size : {whole.size() / 2, whole.size() / 2 + 7, std::size_t{1}}) {
    std::ofstream(copy, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    Value params = c.params();
    params.set("path", copy.string());
    try {
      Made made = c.make(params);
      while (made.as<DataSource>().next()) continue;
    } catch (const Error& error) {
      if (std::string(error.what()).find(copy.filename().string()) == std::string::npos) {
        problem = "a file that ends early: the error does not name it: " + std::string(error.what());
      }
    } catch (...) {
      problem = "a file that ends early: " + caught() + "; wanted plumb::Error with file and line";
    }
  }
  std::filesystem::remove(copy);
  require(problem.empty(), problem);
}

}  // namespace

Kind data_source_kind() {
  return {DataSource::kind,
          "data-source",
          use,
          nullptr,
          {
              {"data-source.types", "yields rows, of one type that it was registered for", types},
              {"data-source.ids", "every row has an id of its own", ids},
              {"data-source.conversations", "roles are known; a prompt ends with the user's turn", conversations},
              {"data-source.end", "ends, and stays at its end", end},
              {"data-source.files", "names the files that it reads", files},
              {"data-source.damaged", "a file that ends early is rows or an error that names it", damaged},
          }};
}

}  // namespace plumb::check
