// Rows of a Parquet file, read by Apache Arrow, some hundred rows at a time. A library of its own, which the plugin
// opens with the first file: Arrow is large, and its allocator starts a thread as soon as it is loaded.
#include <array>
#include <filesystem>
#include <fstream>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "arrow_values.h"
#include "plumb/error.h"
#include "rows.h"

namespace plumb::files {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBatchRows = 256;
constexpr std::int64_t kBuffer = std::int64_t{1} << 18;  // bytes of a column that are read at once

class ParquetRows final : public Rows {
 public:
  explicit ParquetRows(std::string file) : file_(std::move(file)), fields_(file_) {
    check_ends();
    told([this] { open(); });
  }

  std::optional<Value> next() override {
    broken_ = true;  // stays so when reading fails
    while (batch_ == nullptr || at_ == batch_->num_rows()) {
      if (!told([this] { return read_batch(); })) {
        broken_ = false;
        return std::nullopt;
      }
    }
    broken_ = false;
    fields_ = JsonFields(file_ + ": row " + std::to_string(++row_));
    return row(at_++);
  }
  [[nodiscard]] bool broken() const override { return broken_; }
  [[nodiscard]] const JsonFields& fields() const override { return fields_; }

 private:
  [[noreturn]] void fail(const std::string& why) const { throw Error(ErrorCode::data, file_ + ": " + why); }

  // A file that is something else, or ends early, is told from one that is damaged.
  void check_ends() const {
    std::error_code none;
    if (!fs::is_regular_file(file_, none)) fail("is not a regular file");
    std::ifstream in(file_, std::ios::binary);
    std::array<char, 4> head{}, tail{};
    in.read(head.data(), 4);
    in.seekg(-4, std::ios::end);
    in.read(tail.data(), 4);
    const std::string_view first(head.data(), 4), last(tail.data(), 4);
    if (!in || (first != "PAR1" && first != "PARE")) fail("is no Parquet file: it does not begin with PAR1");
    if (last != first) fail("the Parquet file ends early: its last bytes are not " + std::string(first));
    if (first == "PARE") fail("the Parquet file is encrypted; write it without encryption");
  }

  // Whatever Arrow throws becomes an error that names the file.
  template <class F>
  auto told(F&& act) -> decltype(act()) {
    try {
      return act();
    } catch (const Error& error) {
      fail(error.what());
    } catch (const std::exception& error) {
      fail(std::string("the Parquet file is damaged: ") + error.what());
    }
  }
  void require(const arrow::Status& status) const {
    if (status.ok()) return;
    const std::string place = row_ == 0 ? "" : " after row " + std::to_string(row_);
    throw Error(ErrorCode::data, "the Parquet file cannot be read" + place + ": " + status.message());
  }
  template <class T>
  T require(arrow::Result<T> result) const {
    require(result.status());
    return std::move(result).ValueUnsafe();
  }

  void open() {
    auto input = require(arrow::io::ReadableFile::Open(file_));
    parquet::ReaderProperties how = parquet::default_reader_properties();
    how.enable_buffered_stream();
    how.set_buffer_size(kBuffer);
    parquet::ArrowReaderProperties rows(/*use_threads=*/false);
    rows.set_batch_size(kBatchRows);
    rows.set_pre_buffer(false);  // it would hold whole row groups
    parquet::arrow::FileReaderBuilder builder;
    require(builder.Open(std::move(input), how));
    if (builder.raw_reader()->metadata()->is_encryption_algorithm_set()) {
      throw Error(ErrorCode::data, "the Parquet file has encrypted columns; write it without encryption");
    }
    reader_ = require(builder.properties(rows)->Build());
    batches_ = require(reader_->GetRecordBatchReader());
    check_schema(*batches_->schema());
  }

  bool read_batch() {
    batch_.reset();
    at_ = 0;
    std::shared_ptr<arrow::RecordBatch> next;
    require(batches_->ReadNext(&next));
    if (next == nullptr) {
      const std::int64_t promised = reader_->parquet_reader()->metadata()->num_rows();
      if (row_ != promised) {
        throw Error(ErrorCode::data, "the Parquet file is damaged: it has " + std::to_string(row_) + " rows of the " +
                                         std::to_string(promised) + " that it promises");
      }
      return false;
    }
    require(next->Validate());
    batch_ = std::move(next);
    return true;
  }

  Value row(std::int64_t index) const {
    Value out = Value::map();
    for (int i = 0; i < batch_->num_columns(); ++i) {
      try {
        out.as_map().push_back({batch_->column_name(i), value_at(*batch_->column(i), index)});
      } catch (const Error& error) {
        fields_.fail(out, "column `" + batch_->column_name(i) + "` holds " + error.what());
      }
    }
    return out;
  }

  std::string file_;
  JsonFields fields_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::int64_t at_ = 0, row_ = 0;  // in the batch; rows handed out
  bool broken_ = false;
};

}  // namespace
}  // namespace plumb::files

extern "C" __attribute__((visibility("default"))) plumb::files::Rows* plumb_open_parquet(const std::string& file) {
  return new plumb::files::ParquetRows(file);
}
