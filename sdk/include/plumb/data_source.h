// A data source yields rows of one record type from files or from a generator.
//
//   registrar.add<HhRlhf>("hh-rlhf").yields({"preferences"});
//
// The record types are "prompts", "demonstrations", "preferences" and "texts" (demonstrations whose single message is
// plain text). A source that can yield several lists them all and has a parameter whose value is the chosen type.
// Thread contract: next is [lane].
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/random.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

class DataSource : public Component {
 public:
  static constexpr const char* kind = "data-source/1";
  ~DataSource() override;

  // [lane] The next row, or nothing at the end. Throws Error(data) with file:line and the column of the row for a
  // malformed one. Rows come in the same order on every call of a fresh source.
  virtual std::optional<Record> next() = 0;

  // [lane] Rows left out so far, counted by reason ("duplicate", "tied", "identical pair", …), as users read it. What
  // to change for another outcome may follow after a semicolon: "no answer; for preferences set records: preferences".
  // A reason that begins with "cut: " counts rows that did come, but not whole.
  [[nodiscard]] virtual std::map<std::string, std::size_t> skipped() const;

  // [setup] Files this source reads, so that their content decides whether cached results still hold.
  [[nodiscard]] virtual std::vector<std::string> files() const;
};

}  // namespace v1
}  // namespace plumb
