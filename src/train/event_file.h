/// Scalars of a training run in the files that TensorBoard shows, and the growing file below them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

/// A file that grows by whole records, each handed to the system at once: a killed process loses no
/// record that was appended, a machine that loses power may. (AtomicFile, the way for all other files,
/// shows nothing before the end; these are watched while they grow.) One process writes at a time.
class AppendFile {
 public:
  enum class Start { kNewFile, kEndOfFile };
  /// kNewFile: there must be none of that name yet. kEndOfFile: made if missing. Throws Error{kFile}.
  AppendFile(std::string path, Start start);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;
  ~AppendFile();

  /// Throws Error{kFile} (disk full, say). Then the file ends behind the record before, and whoever
  /// has made room may go on.
  void append(std::string_view record);
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[noreturn]] void fail_with(int error, std::string_view action) const;
  std::string path_;
  int fd_ = -1;
  std::int64_t end_ = 0;  ///< bytes, without what is left of a failed append
};

/// FOLDER/events.out.tfevents.SECONDS.HOST.PID.N: TFRecords of protobuf messages.
///
///   record       u64 length, u32 masked CRC-32C of these 8 bytes, payload, u32 masked CRC-32C of it
///   mask(c)      (c rotated right by 15) + 0xa282ead8
///   first        Event { wall_time, file_version: "brain.Event:2" }
///   each add()   Event { wall_time, step, summary: { value: { tag, simple_value } … } }
///
/// Numbers are little-endian. Sources: tensorflow/core/lib/io/record_writer.h,
/// tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto.
class EventFile {
 public:
  struct Scalar {
    std::string tag;  ///< UTF-8; "loss/train" is the curve "train" in the group "loss"
    double value;     ///< stored as float; TensorBoard marks NaN and infinities
  };

  /// For a run that begins. The name sorts behind those of all event files in the folder, whatever the
  /// clock says: TensorBoard reads them in this order. Throws Error{kFile}, like the following.
  explicit EventFile(const std::string& folder);
  /// For a run that goes on in its folder. TensorBoard forgets what earlier files say of `first_step`
  /// and all later steps, since this run will say it again: behind the checkpoint of step 100 it is
  /// 101. (`SessionLog` START at that step; torch.utils.tensorboard calls it purge_step.)
  EventFile(const std::string& folder, std::int64_t first_step);

  /// One record, on its way to the disk when this returns. No scalars, no record.
  void add(std::int64_t step, const std::vector<Scalar>& scalars);
  [[nodiscard]] const std::string& path() const { return file_.path(); }

 private:
  void write(std::string_view event);
  AppendFile file_;
};

/// CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected, as in RFC 3720.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace prwkv
