// The subcommands of `lathe`, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace lathe::app {

// Each adds its subcommand; the work is done in the callback that CLI11 calls after parsing.
void add_accuracy_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_derive_command(CLI::App& app);
void add_describe_command(CLI::App& app);
void add_doctor_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_latency_command(CLI::App& app);
void add_reference_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_run_command(CLI::App& app);
void add_search_command(CLI::App& app);
void add_spaces_command(CLI::App& app);
void add_specialize_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_verify_command(CLI::App& app);

// Verbs of `lathe latency`, added to its subcommand.
void add_latency_benchmark_command(CLI::App& app);
void add_latency_adapt_command(CLI::App& app);
void add_latency_fit_command(CLI::App& app);
void add_latency_generate_command(CLI::App& app);
void add_latency_import_command(CLI::App& app);
void add_latency_merge_command(CLI::App& app);
void add_latency_predict_command(CLI::App& app);
void add_latency_validate_command(CLI::App& app);

// Verbs of `lathe accuracy`.
void add_accuracy_collect_command(CLI::App& app);
void add_accuracy_fit_command(CLI::App& app);
void add_accuracy_predict_command(CLI::App& app);
void add_accuracy_validate_command(CLI::App& app);

}  // namespace lathe::app
