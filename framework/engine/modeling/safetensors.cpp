#include "framework/engine/modeling/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <unordered_map>

#include "framework/core/artifacts/descriptor.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/ranks/rank_group.h"
#include "plumb/value.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kHeaderLimit = 100'000'000;  // the reference implementation's

struct Type {
  std::string_view name;
  at::ScalarType type;
  std::uint64_t size;
};
// In the order of the reference implementation's enumeration: files are laid out from the last to the first.
constexpr std::array kTypes{
    Type{"BOOL", at::kBool, 1},
    Type{"U8", at::kByte, 1},
    Type{"I8", at::kChar, 1},
    Type{"F8_E5M2", at::kFloat8_e5m2, 1},
    Type{"F8_E4M3", at::kFloat8_e4m3fn, 1},
    Type{"I16", at::kShort, 2},
    Type{"U16", at::kUInt16, 2},
    Type{"F16", at::kHalf, 2},
    Type{"BF16", at::kBFloat16, 2},
    Type{"I32", at::kInt, 4},
    Type{"U32", at::kUInt32, 4},
    Type{"F32", at::kFloat, 4},
    Type{"F64", at::kDouble, 8},
    Type{"I64", at::kLong, 8},
    Type{"U64", at::kUInt64, 8},
};

const Type* find_type(std::string_view name) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& t) { return t.name == name; });
  return found == kTypes.end() ? nullptr : &*found;
}

const Type* find_type(at::ScalarType type) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& t) { return t.type == type; });
  return found == kTypes.end() ? nullptr : &*found;
}

Error refused(const fs::path& file, const std::string& what) {
  return {ErrorCode::data, fmt::format("{}: {}", file.string(), what)};
}

// Where files are mapped now.
struct Mappings {
  std::mutex mutex;
  std::map<std::uintptr_t, std::uintptr_t> ends;  // by begin
};
Mappings& mappings() {
  static auto* all = new Mappings;  // tensors may outlive static objects
  return *all;
}

}  // namespace

struct SafetensorsFile::Mapping {
  fs::path file;
  char* bytes = nullptr;
  std::uint64_t size = 0, data = 0;  // of the file; where the tensors' bytes begin
  std::vector<TensorEntry> entries;  // in file order
  std::unordered_map<std::string, std::size_t> by_name;
  std::map<std::string, std::string> metadata;

  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (bytes == nullptr) return;
    {
      const std::lock_guard lock(mappings().mutex);
      mappings().ends.erase(reinterpret_cast<std::uintptr_t>(bytes));
    }
    ::munmap(bytes, size);
  }

  void map();
  void read_header();
  void check_layout() const;
};

namespace {

// One tensor's description. Sizes come from the file, so every product is checked.
TensorEntry read_entry(const fs::path& file, const std::string& name, const Value& value) {
  const auto wrong = [&](const std::string& what) {
    return refused(file, fmt::format("tensor \"{}\": {}", name, what));
  };
  if (!value.is_map()) throw wrong(fmt::format("its header is a {}, not a map", value.type_name()));
  TensorEntry entry{name};
  const Value *dtype = value.find("dtype"), *shape = value.find("shape"), *offsets = value.find("data_offsets");
  if (value.as_map().size() != 3 || dtype == nullptr || shape == nullptr || offsets == nullptr) {
    throw wrong("its header must hold exactly dtype, shape and data_offsets");
  }
  if (!dtype->is_string()) throw wrong("dtype is no string");
  entry.dtype = dtype->as_string();
  const Type* type = find_type(entry.dtype);
  if (type == nullptr) throw wrong(fmt::format("dtype \"{}\" is not known", entry.dtype));

  const auto count = [&](const Value& v, const char* what) {
    if (v.type() != Value::Type::integer || v.as_int() < 0)
      throw wrong(fmt::format("{} holds no whole number ≥ 0", what));
    return v.as_int();
  };
  if (!shape->is_list()) throw wrong("shape is no list");
  std::uint64_t bytes = type->size;
  for (const Value& extent : shape->as_list()) {
    entry.shape.push_back(count(extent, "shape"));
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(entry.shape.back()), &bytes) || bytes >> 62U != 0) {
      throw wrong("the shape's size overflows");
    }
  }
  if (!offsets->is_list() || offsets->as_list().size() != 2) throw wrong("data_offsets is no list of two numbers");
  entry.begin = static_cast<std::uint64_t>(count(offsets->as_list()[0], "data_offsets"));
  entry.end = static_cast<std::uint64_t>(count(offsets->as_list()[1], "data_offsets"));
  if (entry.end < entry.begin) throw wrong(fmt::format("data_offsets [{}, {}] run backwards", entry.begin, entry.end));
  if (entry.end - entry.begin != bytes) {
    throw wrong(fmt::format("data_offsets span {} bytes, but dtype and shape need {}", entry.end - entry.begin, bytes));
  }
  return entry;
}

}  // namespace

void SafetensorsFile::Mapping::map() {
  // O_NONBLOCK: opening a pipe must not wait for a writer; only regular files pass.
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) throw disk_error("open", file, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw disk_error("examine", file, errno);
  if (!S_ISREG(info.st_mode)) throw refused(file, "it is not a regular file");
  size = static_cast<std::uint64_t>(info.st_size);
  if (size < 8) throw refused(file, fmt::format("it has {} bytes; a safetensors file has at least 8", size));
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
  if (at == MAP_FAILED) throw disk_error("map", file, errno);
  bytes = static_cast<char*>(at);
  const std::lock_guard lock(mappings().mutex);
  mappings().ends[reinterpret_cast<std::uintptr_t>(bytes)] = reinterpret_cast<std::uintptr_t>(bytes) + size;
}

void SafetensorsFile::Mapping::read_header() {
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8U | static_cast<unsigned char>(bytes[i]);
  if (length > kHeaderLimit) {
    throw refused(file, fmt::format("its header claims {} bytes; at most {} are allowed", length, kHeaderLimit));
  }
  if (length > size - 8) {
    throw refused(
        file, fmt::format("its header claims {} bytes, but only {} follow: the file is truncated", length, size - 8));
  }
  data = 8 + length;
  const std::string_view text(bytes + 8, length);
  if (!text.starts_with('{')) throw refused(file, "its header does not start with '{'; is it a safetensors file?");
  const Value header = parse_json(text, file.string());
  if (!header.is_map()) throw refused(file, "its header is no map");
  for (const Value::Entry& item : header.as_map()) {
    if (item.key != "__metadata__") {
      entries.push_back(read_entry(file, item.key, item.value));
      continue;
    }
    if (!item.value.is_map()) throw refused(file, "__metadata__ is no map");
    for (const Value::Entry& note : item.value.as_map()) {
      if (!note.value.is_string()) throw refused(file, fmt::format("__metadata__: \"{}\" is no string", note.key));
      metadata[note.key] = note.value.as_string();
    }
  }
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  for (std::size_t i = 0; i < entries.size(); ++i) by_name.emplace(entries[i].name, i);
}

// The tensors must cover the data exactly: no holes, no overlap, nothing missing, nothing left over.
void SafetensorsFile::Mapping::check_layout() const {
  std::uint64_t reached = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != reached) {
      throw refused(
          file,
          fmt::format("tensor \"{}\" begins at byte {} of the data, {} byte {}", entry.name, entry.begin,
                      entry.begin < reached ? "overlapping the one that ends at" : "leaving a hole after", reached));
    }
    reached = entry.end;
  }
  if (reached != size - data) {
    throw refused(file,
                  fmt::format("its tensors take {} bytes, but {} follow the header: {}", reached, size - data,
                              reached > size - data ? "the file is truncated" : "there are stray bytes at the end"));
  }
}

const std::vector<TensorEntry>& SafetensorsFile::entries() const {
  return mapping_->entries;
}
const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return mapping_->metadata;
}

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  const auto found = mapping_->by_name.find(name);
  return found == mapping_->by_name.end() ? nullptr : &mapping_->entries[found->second];
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const TensorEntry* entry = find(name);
  if (entry == nullptr) throw refused(mapping_->file, fmt::format("it holds no tensor \"{}\"", name));
  const Type& type = *find_type(entry->dtype);
  const auto options = at::TensorOptions().dtype(type.type);
  char* at = mapping_->bytes + mapping_->data + entry->begin;
  if (entry->begin == entry->end) return at::empty(entry->shape, options);
  if (reinterpret_cast<std::uintptr_t>(at) % type.size != 0) {  // an unpadded header: legal, but no view is possible
    at::Tensor copy = at::empty(entry->shape, options);
    std::memcpy(copy.data_ptr(), at, entry->end - entry->begin);
    return copy;
  }
  return at::from_blob(
      at, entry->shape, [keep = mapping_](void*) {}, options);
}

Result<SafetensorsFile> open_safetensors(const fs::path& file) {
  try {
    auto mapping = std::make_shared<SafetensorsFile::Mapping>();
    mapping->file = file;
    mapping->map();
    mapping->read_header();
    mapping->check_layout();
    SafetensorsFile out;
    out.mapping_ = std::move(mapping);
    return out;
  } catch (const Error& error) {
    return error;
  }
}

namespace {

struct Piece {
  const TensorToWrite* from;
  const Type* type;

  [[nodiscard]] std::int64_t bytes() const {
    return std::accumulate(from->shape.begin(), from->shape.end(), static_cast<std::int64_t>(type->size),
                           std::multiplies<>());
  }
};

std::vector<Piece> in_file_order(const fs::path& file, const std::vector<TensorToWrite>& tensors) {
  std::vector<Piece> pieces;
  std::set<std::string_view> names;
  for (const TensorToWrite& tensor : tensors) {
    const Type* type = find_type(tensor.type);
    if (type == nullptr) {
      throw refused(file, fmt::format("tensor \"{}\" has type {}, which safetensors cannot hold", tensor.name,
                                      c10::toString(tensor.type)));
    }
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second) {
      throw refused(file, fmt::format("a tensor cannot be named \"{}\" (reserved, or there twice)", tensor.name));
    }
    pieces.push_back({&tensor, type});
  }
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return a.type != b.type ? a.type > b.type : a.from->name < b.from->name;
  });
  return pieces;
}

std::string header_of(const std::vector<Piece>& pieces, const std::map<std::string, std::string>& metadata) {
  Value header = Value::map();
  auto& items = header.as_map();
  if (!metadata.empty()) {
    Value notes = Value::map();
    for (const auto& [key, text] : metadata) notes.as_map().push_back({key, Value(text)});
    items.push_back({"__metadata__", std::move(notes)});
  }
  std::int64_t at = 0;
  for (const Piece& piece : pieces) {
    Value::List shape;
    for (const std::int64_t extent : piece.from->shape) shape.emplace_back(extent);
    const std::int64_t end = at + piece.bytes();
    items.push_back({piece.from->name, Value::map({{"dtype", Value(piece.type->name)},
                                                   {"shape", Value(std::move(shape))},
                                                   {"data_offsets", Value::list({at, end})}})});
    at = end;
  }
  std::string text = to_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xffU);
  return length + text;
}

// Lets go of memory that is a view of a file, a hint: a model written from its old file would otherwise be held whole.
// Changed pages stay.
void page_out_if_mapped(const at::Tensor& tensor) {
  constexpr std::uintptr_t page = 4096;
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
  const std::uintptr_t first = (begin + page - 1) / page * page, last = (begin + tensor.nbytes()) / page * page;
  const std::lock_guard lock(mappings().mutex);
  const auto after = mappings().ends.upper_bound(begin);  // begin of the mapping -> its end
  if (first >= last || after == mappings().ends.begin() || std::prev(after)->second < last) return;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address within the tensor
  ::madvise(reinterpret_cast<void*>(first), last - first, MADV_PAGEOUT);
}

void write_pieces(const fs::path& file, const fs::path& temporary, const std::vector<Piece>& pieces,
                  const std::string& header) {
  Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (fd.get() < 0) throw disk_error("create", file, errno);
  write_all(fd.get(), header, file);
  for (const Piece& piece : pieces) {
    const at::Tensor tensor = piece.from->make();
    if (tensor.scalar_type() != piece.from->type || tensor.sizes() != at::IntArrayRef(piece.from->shape)) {
      throw Error(ErrorCode::run_failed,
                  fmt::format("{}: tensor {} is not as its header says", file.string(), piece.from->name));
    }
    const at::Tensor here = tensor.detach().cpu().contiguous();
    write_all(fd.get(), {static_cast<const char*>(here.const_data_ptr()), here.nbytes()}, file);
    if (tensor.device().is_cpu()) page_out_if_mapped(tensor);
  }
  if (::fsync(fd.get()) != 0) throw disk_error("flush to disk", file, errno);
  if (::close(fd.release()) != 0) throw disk_error("close", file, errno);
  if (::rename(temporary.c_str(), file.c_str()) != 0) throw disk_error("replace", file, errno);
  sync_folder(file.parent_path());
}

}  // namespace

TensorToWrite to_write(std::string name, const at::Tensor& tensor) {
  return {std::move(name), tensor.scalar_type(), tensor.sizes().vec(), [tensor] { return tensor; }};
}

Result<void> write_safetensors(const fs::path& file, const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  std::vector<TensorToWrite> out;
  for (const auto& [name, tensor] : tensors) {
    out.push_back(to_write(name, tensor));
  }
  return stream_safetensors(file, out, metadata);
}

Result<void> stream_safetensors(const fs::path& file, const std::vector<TensorToWrite>& tensors,
                                const std::map<std::string, std::string>& metadata) {
  // Named as disk.h's write_file names its own, so that what a crash leaves is known as abandoned.
  const fs::path temporary = file.parent_path() / fmt::format(".{}.plumb-tmp-{}", file.filename().string(), ::getpid());
  try {
    const auto pieces = in_file_order(file, tensors);
    write_pieces(file, temporary, pieces, header_of(pieces, metadata));
  } catch (const RankMissing&) {  // of tensors that are made with others
    ::unlink(temporary.c_str());
    throw;
  } catch (const Error& error) {
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

void make_safetensors(const std::vector<TensorToWrite>& tensors) {
  for (const Piece& piece : in_file_order("a checkpoint", tensors)) static_cast<void>(piece.from->make());
}

}  // namespace plumb
