// The one main() of every test executable. Its listener tells case_record which test runs and
// how it ended.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/support/case_record.hpp"

#include <doctest/doctest.h>

namespace {

class case_listener final : public doctest::IReporter {
public:
    explicit case_listener(const doctest::ContextOptions&) {}

    void test_case_start(const doctest::TestCaseData& test) override
    {
        agentd::testing::case_begins(test.m_name, test.m_file.c_str(), test.m_line);
    }
    void test_case_end(const doctest::CurrentTestCaseStats& how) override
    {
        agentd::testing::case_ends(how.testCaseSuccess);
    }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("cases", 1, case_listener);

} // namespace
