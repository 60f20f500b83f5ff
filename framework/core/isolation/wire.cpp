#include "framework/core/isolation/wire.h"

#include "plumb/error.h"

namespace plumb {
namespace {

constexpr int kDeepest = 200;  // nested values; the parsers allow 64

// Set in a value's first byte, above its type, when a place in the recipe follows.
constexpr std::uint8_t kHasMark = 0x40, kHasKeyMark = 0x80;

[[noreturn]] void malformed(const char* why) {
  throw Error(ErrorCode::plugin, std::string("a message between processes is malformed: ") + why);
}

}  // namespace

void WireWriter::put(const Value& value) {
  auto first = static_cast<std::uint8_t>(value.type());
  if (value.mark != Mark{}) first |= kHasMark;
  if (value.key_mark != Mark{}) first |= kHasKeyMark;
  put(first);
  if (value.mark != Mark{}) put(value.mark);
  if (value.key_mark != Mark{}) put(value.key_mark);
  switch (value.type()) {
    case Value::Type::null:
      break;
    case Value::Type::boolean:
      put(value.as_bool());
      break;
    case Value::Type::integer:
      put(value.as_int());
      break;
    case Value::Type::real:
      put(value.as_double());
      break;
    case Value::Type::string:
      put(value.as_string());
      break;
    case Value::Type::list:
      put(value.as_list());
      break;
    case Value::Type::map:
      put(static_cast<std::uint64_t>(value.as_map().size()));
      for (const Value::Entry& entry : value.as_map()) (*this)(entry.key, entry.value);
      break;
  }
}

Value WireReader::read_value(int depth) {
  if (depth > kDeepest) malformed("values are nested too deep");
  const auto first = take<std::uint8_t>();
  const Mark mark = (first & kHasMark) != 0 ? take<Mark>() : Mark{};
  const Mark key_mark = (first & kHasKeyMark) != 0 ? take<Mark>() : Mark{};
  Value out;
  switch (static_cast<Value::Type>(first & 0x3F)) {
    case Value::Type::null:
      break;
    case Value::Type::boolean:
      out = take<bool>();
      break;
    case Value::Type::integer:
      out = take<std::int64_t>();
      break;
    case Value::Type::real:
      out = take<double>();
      break;
    case Value::Type::string:
      out = take<std::string>();
      break;
    case Value::Type::list: {
      Value::List items;
      for (std::uint64_t left = counted(1); left > 0; --left) items.push_back(read_value(depth + 1));
      out = std::move(items);
      break;
    }
    case Value::Type::map: {
      out = Value::map();
      for (std::uint64_t left = counted(2); left > 0; --left) {
        std::string key = take<std::string>();
        out.as_map().push_back({std::move(key), read_value(depth + 1)});
      }
      break;
    }
    default:
      malformed("a value of no type");
  }
  out.mark = mark;
  out.key_mark = key_mark;
  return out;
}

std::uint64_t WireReader::counted(std::uint64_t least_size) {
  const auto count = take<std::uint64_t>();
  if (count > left_.size() / least_size) malformed("it ends too early");
  return count;
}

std::string_view WireReader::raw(std::uint64_t size) {
  if (size > left_.size()) malformed("it ends too early");
  const std::string_view out = left_.substr(0, size);
  left_.remove_prefix(size);
  return out;
}

void WireReader::end() const {
  if (!left_.empty()) malformed("it goes on after its end");
}

}  // namespace plumb
