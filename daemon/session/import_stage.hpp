// The lines of an import on their way: checked one by one as they come, and kept in a file
// without a name until all are there, so that the transaction that stores them waits for no
// client. Blocks; one thread at a time.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "proto/api/export_check.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace agentd::session {

class import_stage {
public:
    // The file is made in this folder and is gone with this object, or with the process.
    // Errors: storage_full, storage_failed.
    [[nodiscard]] static base::result<import_stage> make(const std::string& folder);

    // The next bytes. Errors: those of proto::api, which name line and field; too_large;
    // storage_full, storage_failed.
    [[nodiscard]] base::result<> take(std::string_view bytes);
    // There are no more.
    [[nodiscard]] base::result<> finish();
    // Gives all records again, in order.
    [[nodiscard]] base::result<> each(
        const std::function<void(const proto::api::export_record&)>& to) const;

    [[nodiscard]] const proto::api::export_check& checked() const { return check_; }

private:
    explicit import_stage(base::unique_fd file) : file_(std::move(file)) {}
    [[nodiscard]] base::result<> keep(std::string_view bytes) const;
    [[nodiscard]] base::result<> check(std::string_view line);

    base::unique_fd file_;
    std::string begun_; // a line without its end yet
    std::size_t line_ = 0;
    proto::api::export_check check_;
};

} // namespace agentd::session
