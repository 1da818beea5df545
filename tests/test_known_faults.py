"""Which test would fail if a fault of the earlier web version came back, or if bad input lost a call?

Thirty-five faults are known of the version before this one, and sixteen kinds of bad input and bad days were promised an answer.
Each stands here with the tests that would fail, or with the reason why it cannot come back.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

DOMAIN, STORE, PIPELINE, SUPERVISOR, CLI = "domain", "store", "pipeline", "supervisor", "cli"
DRIVE, NOTION, PROVIDERS, KNOWN = "providers/drive", "providers/notion", "providers", "known_faults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that went wrong before."""

    number: int
    what: str
    tests: tuple[str, ...] = ()
    """As `path::name`, the path below `tests/`; each would fail on the fault."""
    cannot_apply: str = ""
    """Why (a part of) it needs no test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadInput:
    """Something that people, disks and clocks do to a program."""

    what: str
    tests: tuple[str, ...]
    """Between them: one sentence for the user, a call that is still there, and a way to go on."""


FAULTS = (
    # ------------------------------------------------------------------------------------------------------- discovery
    Fault(
        number=1,
        what="Only the first thousand files were listed, audio and sidecars each.",
        tests=(
            f"{DRIVE}/test_drive_listing.py::test_five_thousand_files_cost_one_request_for_each_thousand",
            f"{DRIVE}/test_drive_listing.py::test_a_crash_after_any_page_loses_nothing_and_repeats_at_most_one",
        ),
    ),
    Fault(
        number=2,
        what="Folders inside the folder, such as those of each day, were never looked into.",
        tests=(
            f"{DRIVE}/test_drive_listing.py::test_folders_in_folders_are_found_at_any_depth",
            f"{DRIVE}/test_drive_changes.py::test_a_new_sub_folder_brings_its_files",
        ),
    ),
    Fault(
        number=3,
        what="Recordings were known by four MIME types: WAV, Ogg, AAC, 3GP, Opus and octet streams were never seen.",
        tests=(f"{DOMAIN}/test_recording_files.py::test_a_recording_is_known_by_its_extension_or_else_by_its_type",),
    ),
    Fault(
        number=4,
        what="Shared drives answered with nothing.",
        tests=(f"{DRIVE}/test_drive_listing.py::test_a_shared_drive_is_followed_by_its_own_feed",),
    ),
    Fault(
        number=5,
        what="The list of allowed owners minded case, an empty one blocked everybody, and `*@domain` did not exist.",
        tests=(
            f"{DOMAIN}/test_eligibility.py::test_owners_are_allowed_by_address_or_domain",
            f"{SUPERVISOR}/test_discovery.py::test_only_recordings_of_allowed_owners_are_taken",
        ),
    ),
    Fault(
        number=6,
        what="Each poll cost a query and a log line for every file that was known already.",
        tests=(
            f"{KNOWN}/test_frugality.py::test_an_idle_look_at_known_calls_is_one_request_and_leaves_no_trace",
            f"{DRIVE}/test_drive_listing.py::test_five_thousand_files_cost_one_request_for_each_thousand",
        ),
    ),
    Fault(
        number=7,
        what="A sidecar that came later was never read, and an unknown length passed for long enough: pocket dials were paid for.",
        tests=(
            f"{SUPERVISOR}/test_supervisor.py::test_a_late_sidecar_is_read_at_once",
            f"{SUPERVISOR}/test_discovery.py::test_a_recording_without_its_sidecar_waits_for_it",
            f"{SUPERVISOR}/test_discovery.py::test_a_short_call_is_skipped_by_its_sidecar",
            f"{STORE}/test_queue.py::test_a_call_of_unknown_length_waits_for_its_measure_not_for_tomorrow",
            f"{STORE}/test_inbox.py::test_a_late_or_changed_sidecar_measures_anew",
            f"{DOMAIN}/test_eligibility.py::test_fault_7_an_unknown_duration_is_waited_for_and_a_known_one_is_gated",
            (
                f"{PIPELINE}/test_transcribing.py"
                "::test_a_length_that_was_only_guessed_is_read_from_the_file_before_it_is_paid_for"
            ),
        ),
    ),
    Fault(
        number=8,
        what="Half-written files were taken, replaced ones never read again, renamed and deleted ones never noticed.",
        tests=(
            f"{PROVIDERS}/test_folder.py::test_a_file_that_is_being_written_waits_and_is_not_lost",
            f"{DRIVE}/test_drive_changes.py::test_new_renamed_and_replaced_files_are_reported",
            f"{DRIVE}/test_drive_changes.py::test_trashed_and_deleted_files_are_gone_and_restored_ones_are_back",
            f"{STORE}/test_inbox.py::test_a_replaced_recording_is_measured_anew",
            f"{STORE}/test_inbox.py::test_a_verdict_about_other_content_falls_with_it",
            f"{SUPERVISOR}/test_discovery.py::test_a_call_that_takes_the_place_of_a_pocket_dial_is_not_lost",
            f"{STORE}/test_inbox.py::test_a_renamed_recording_is_understood_anew",
            f"{STORE}/test_inbox.py::test_what_disappears_before_it_is_processed_is_skipped_and_comes_back",
        ),
    ),
    Fault(
        number=9,
        what="Copies with another id and the same content were transcribed and paid for again.",
        tests=(
            f"{STORE}/test_inbox.py::test_the_same_recording_twice_is_done_once",
            f"{STORE}/test_inbox.py::test_of_twins_on_one_page_the_first_stays",
            f"{SUPERVISOR}/test_discovery.py::test_the_same_content_under_another_name_is_a_duplicate",
            f"{KNOWN}/test_frugality.py::test_a_copy_is_paid_for_only_by_those_who_want_copies",
        ),
    ),
    # ------------------------------------------------------------------------------------------------------------ time
    Fault(
        number=10,
        what="Calls in the first hour after midnight were stored one day early.",
        tests=(
            f"{DOMAIN}/test_file_names.py::test_fault_10_a_call_just_after_midnight_is_not_stored_a_day_early",
            f"{DOMAIN}/test_file_names.py::test_every_minute_is_read_back_as_it_was_written",
        ),
    ),
    Fault(
        number=11,
        what="One zone was built in, hours that exist twice or never were guessed, and parts disagreed about what is UTC.",
        tests=(
            f"{DOMAIN}/test_file_names.py::test_fault_11_the_zone_is_the_callers_choice",
            f"{DOMAIN}/test_file_names.py::test_fault_11_a_time_that_clocks_jumped_over_moves_forward_by_the_jump",
            f"{DOMAIN}/test_file_names.py::test_fault_11_an_hour_that_happened_twice_means_its_first_occurrence",
            f"{SUPERVISOR}/test_discovery.py::test_what_a_name_says_is_stored",
            f"{NOTION}/test_notion_schema.py::test_the_date_is_the_callers_wall_clock_with_its_offset",
        ),
    ),
    # ----------------------------------------------------------------------------------------------------------- queue
    Fault(
        number=12,
        what="After a crash a call stayed in the middle of its work for ever, and could not be started again by hand.",
        tests=(
            f"{SUPERVISOR}/test_supervisor.py::test_what_a_crash_left_is_taken_back_before_anything_else",
            f"{SUPERVISOR}/test_watchdog.py::test_the_jobs_of_the_dead_are_taken_back_when_their_lease_is_over",
            f"{PIPELINE}/test_crashes.py::test_a_crash_at_any_announced_commit_costs_nothing_twice",
            f"{STORE}/test_control.py::test_a_running_job_is_taken_from_its_worker",
        ),
    ),
    Fault(
        number=13,
        what="Nothing brought a failed call back by itself, and some failures were not counted.",
        tests=(
            f"{PIPELINE}/test_troubles.py::test_what_may_pass_is_tried_again_with_growing_waits_and_then_stays_failed",
            f"{STORE}/test_queue.py::test_failed_jobs_come_back_when_they_are_due",
            f"{SUPERVISOR}/test_processor.py::test_a_retry_that_is_due_is_taken_back_and_begun",
        ),
    ),
    Fault(
        number=14,
        what="`Only new calls` meant since this start of the process: each restart orphaned what was not finished.",
        tests=(
            f"{SUPERVISOR}/test_discovery.py::test_only_new_calls_means_since_the_first_start_also_after_a_restart",
            f"{DOMAIN}/test_eligibility.py::test_fault_14_the_cutoff_is_the_callers_instant_and_not_this_process_start",
            f"{STORE}/test_inbox.py::test_the_first_start_is_remembered",
        ),
    ),
    Fault(
        number=15,
        what="Every tick had its own limit, so long calls piled up a new batch a minute, and waiting ones seemed at work.",
        tests=(
            f"{SUPERVISOR}/test_processor.py::test_no_more_jobs_run_at_once_than_there_is_room_for",
            f"{SUPERVISOR}/test_processor.py::test_two_ticks_at_the_same_moment_share_the_room",
            f"{SUPERVISOR}/test_processor.py::test_two_instances_share_a_limit_for_all",
        ),
    ),
    Fault(
        number=16,
        what="Newest first starved old calls, and a phone call without an arrow counted as incoming.",
        tests=(
            f"{SUPERVISOR}/test_processor.py::test_calls_are_taken_oldest_or_newest_first",
            f"{KNOWN}/test_frugality.py::test_by_default_the_call_that_waited_longest_is_next",
            (
                f"{DOMAIN}/test_eligibility.py"
                "::test_fault_16_a_phone_call_without_an_arrow_is_not_taken_for_an_incoming_one"
            ),
        ),
    ),
    # ----------------------------------------------------------------------------------------------------------- money
    Fault(
        number=17,
        what="A retry downloaded, uploaded and paid again although the transcript was stored.",
        tests=(
            f"{PIPELINE}/test_crashes.py::test_what_is_there_is_reused_and_paid_for_once",
            f"{PIPELINE}/test_crashes.py::test_a_stop_at_any_request_costs_nothing_twice",
            f"{PIPELINE}/test_troubles.py::test_what_may_pass_is_tried_again_with_growing_waits_and_then_stays_failed",
        ),
    ),
    Fault(
        number=18,
        what="The order's id was only in a log, one bad poll threw a paid transcript away, and no call had a deadline.",
        tests=(
            f"{PIPELINE}/test_crashes.py::test_an_order_whose_answer_is_lost_is_found_and_adopted",
            f"{PIPELINE}/test_transcribing.py::test_a_poll_that_fails_is_asked_again",
            f"{PIPELINE}/test_transcribing.py::test_a_transcript_that_never_gets_ready_is_waited_for_later",
            f"{PROVIDERS}/test_assemblyai.py::test_a_poll_that_goes_wrong_means_ask_again",
            f"{PROVIDERS}/test_assemblyai.py::test_a_poll_that_dribbles_for_ever_ends_at_its_deadline",
            f"{PROVIDERS}/test_openai.py::test_an_answer_that_dribbles_for_ever_ends_at_its_deadline",
            f"{DRIVE}/test_drive_trouble.py::test_a_call_that_hangs_ends_at_its_deadline",
        ),
    ),
    Fault(
        number=19,
        what="There was no price, no ledger, no estimate, no budget and no cap for a day.",
        tests=(
            f"{DOMAIN}/test_money.py::test_fault_19_half_an_hour_with_speakers_costs_eleven_and_a_half_cents",
            f"{DOMAIN}/test_money.py::test_fault_19_an_unknown_price_is_unpriced_and_not_nothing",
            f"{PIPELINE}/test_from_audio_to_page.py::test_charges_are_the_services_bill_to_the_micro_dollar",
            f"{STORE}/test_queue.py::test_the_days_money_is_not_exceeded",
            f"{STORE}/test_two_stores.py::test_together_they_keep_every_cap",
            f"{SUPERVISOR}/test_processor.py::test_the_days_money_is_never_overspent_and_the_rest_waits_for_tomorrow",
            f"{SUPERVISOR}/test_processor.py::test_no_more_calls_are_begun_in_a_day_than_allowed",
        ),
    ),
    Fault(
        number=20,
        what="Orders named no speech model, which is mandatory now.",
        tests=(
            f"{PROVIDERS}/test_assemblyai_wire.py::test_by_default_models_are_pinned_and_the_language_is_detected",
            (
                f"{PROVIDERS}/test_assemblyai.py"
                "::test_a_recording_becomes_a_transcript_with_its_speakers_and_is_charged_once"
            ),
        ),
    ),
    Fault(
        number=21,
        what="Neither a language nor its detection was asked for: other languages were paid for and wrong.",
        tests=(
            f"{PROVIDERS}/test_assemblyai_wire.py::test_by_default_models_are_pinned_and_the_language_is_detected",
            f"{PROVIDERS}/test_assemblyai_wire.py::test_a_named_language_replaces_detection",
        ),
    ),
    # -------------------------------------------------------------------------------------------------- language model
    Fault(
        number=22,
        what="The documented default address lacked its /v1 and answered 404.",
        tests=(f"{PROVIDERS}/test_openai.py::test_openais_own_address_is_mended_and_no_other",),
    ),
    Fault(
        number=23,
        what="Dollar signs in a transcript were taken for patterns, and only the first placeholder was filled.",
        tests=(
            f"{DOMAIN}/test_prompts.py::test_fault_23_a_value_is_put_in_to_the_letter",
            f"{DOMAIN}/test_prompts.py::test_fault_23_every_placeholder_is_replaced_and_values_are_not_filled_again",
            f"{PIPELINE}/test_summarizing.py::test_what_is_said_stays_as_it_was_said",
        ),
    ),
    Fault(
        number=24,
        what="A missing key, a broken stream or a cut answer counted as a summary; long calls did not fit.",
        tests=(
            f"{PROVIDERS}/test_openai.py::test_an_answer_that_did_not_end_well_is_no_answer",
            f"{PROVIDERS}/test_openai.py::test_an_end_we_did_not_ask_for_is_no_end",
            f"{PROVIDERS}/test_openai.py::test_a_blank_answer_is_no_answer",
            f"{PIPELINE}/test_summarizing.py::test_an_answer_that_is_not_whole_is_no_summary_and_its_cost_is_kept",
            f"{PIPELINE}/test_summarizing.py::test_a_long_call_is_summarised_in_parts_and_merged",
            f"{KNOWN}/test_bad_input.py::test_a_wrong_key_holds_the_call_and_names_the_setting",
            "test_config.py::test_what_is_missing_for_work_is_said_in_the_users_names",
        ),
    ),
    Fault(
        number=25,
        what="The model was asked for times as evidence and never shown any.",
        tests=(
            f"{PIPELINE}/test_summarizing.py::test_the_model_reads_who_said_what_and_when",
            f"{DOMAIN}/test_transcript.py::test_fault_25_a_model_is_told_when_each_turn_was_said",
            f"{DOMAIN}/test_prompts.py::test_fault_25_the_summary_prompt_takes_times_from_the_transcript_only",
        ),
    ),
    # ---------------------------------------------------------------------------------------------------------- Notion
    Fault(
        number=26,
        what="Transcripts of a few hours made requests larger than Notion takes.",
        tests=(
            f"{NOTION}/test_notion_sink.py::test_26_a_call_of_4000_turns_takes_three_requests_for_its_transcript",
            f"{NOTION}/test_notion_blocks.py::test_four_thousand_turns_are_eighty_blocks_in_three_requests",
            f"{NOTION}/test_notion_blocks.py::test_any_blocks_become_valid_requests_with_the_same_text",
        ),
    ),
    Fault(
        number=27,
        what="Text without spaces was not cut, nor headings, bullets and cells: Notion refused the page.",
        tests=(
            f"{NOTION}/test_notion_sink.py::test_27_a_run_of_text_without_spaces_is_cut_to_fit",
            f"{NOTION}/test_notion_blocks.py::test_pieces_fit_and_join_to_the_text",
            f"{NOTION}/test_notion_blocks.py::test_what_is_too_much_is_spread",
        ),
    ),
    Fault(
        number=28,
        what="A page's id was kept only at the end: a failed write left half a page, and the next sync made another.",
        tests=(
            f"{NOTION}/test_notion_sink.py::test_28_a_failed_append_is_mended_on_the_same_page",
            f"{NOTION}/test_notion_crashes.py::test_a_first_delivery_survives_a_failure_of_any_request",
            f"{PIPELINE}/test_delivering.py::test_a_page_whose_answer_is_lost_is_one_page",
        ),
    ),
    Fault(
        number=29,
        what="A new summary or transcript never reached the page.",
        tests=(
            f"{NOTION}/test_notion_sink.py::test_29_a_new_summary_reaches_the_page",
            f"{PIPELINE}/test_summarizing.py::test_a_summary_made_anew_is_another_version",
        ),
    ),
    Fault(
        number=30,
        what="Notion's errors were swallowed: a call seemed complete, and a renamed column broke every sync in silence.",
        tests=(
            (
                f"{PIPELINE}/test_delivering.py"
                "::test_a_notion_that_is_out_of_order_does_not_keep_a_call_from_being_complete"
            ),
            f"{KNOWN}/test_bad_input.py::test_a_renamed_column_costs_its_value_and_not_the_page",
            f"{NOTION}/test_notion_sink.py::test_30_a_renamed_property_is_left_out_and_named",
            f"{STORE}/test_calls.py::test_a_list_shows_how_far_the_sinks_are",
        ),
    ),
    Fault(
        number=31,
        what="Nested lists, to-dos, links, italics, quotes, code and tables lost their form; the number was no property.",
        tests=(
            f"{NOTION}/test_notion_sink.py::test_31_every_kind_of_markdown_keeps_its_form",
            f"{NOTION}/test_notion_blocks.py::test_each_kind_of_markdown_has_its_block",
            f"{NOTION}/test_notion_sink.py::test_a_call_becomes_a_page_with_properties_summary_and_transcript",
        ),
    ),
    # ------------------------------------------------------------------------------------ screen, operation, security
    Fault(
        number=32,
        what="Retry, delete and summarise-again called addresses that knew no call, and nobody was told.",
        tests=(
            f"{STORE}/test_control.py::test_what_failed_is_retried",
            f"{CLI}/test_verbs.py::test_a_failed_call_is_retried_by_its_id_or_with_all_others",
            f"{CLI}/test_verbs.py::test_what_could_not_be_done_is_said",
            f"{CLI}/test_work.py::test_process_from_summarize_uses_the_transcript_again",
        ),
        cannot_apply="There are no addresses and no second kind of job: every verb is one method on the one store.",
    ),
    Fault(
        number=33,
        what="Without a secret the trigger was open to everybody, with secret and password it could not be reached.",
        tests=("test_config.py::test_names_of_the_web_version_are_accepted_and_said_to_do_nothing",),
        cannot_apply="There is no web server: nothing listens, so nothing has to be locked.",
    ),
    Fault(
        number=34,
        what="Recordings were held in memory whole, left in the temporary directory under a wrong name, never deleted at the vendor.",
        tests=(
            f"{KNOWN}/test_frugality.py::test_a_long_recording_is_never_in_memory_as_a_whole",
            (
                f"{PIPELINE}/test_from_audio_to_page.py"
                "::test_audio_lies_in_a_private_place_while_it_is_needed_and_nowhere_afterwards"
            ),
            f"{PIPELINE}/test_from_audio_to_page.py::test_audio_is_gone_after_a_failure_and_after_a_stop_too",
            f"{PIPELINE}/test_transcribing.py::test_audio_and_transcript_are_deleted_at_the_vendor_once_they_are_here",
        ),
    ),
    Fault(
        number=35,
        what="Every transcript was sent to every open page every five seconds, up to a rate limit by a header that anyone can forge.",
        tests=(f"{KNOWN}/test_frugality.py::test_a_list_of_calls_carries_no_word_of_what_was_said",),
        cannot_apply="There are no pages that poll and no clients to limit; changes are announced inside the process.",
    ),
)

BAD_INPUT = (
    BadInput(
        what="zero-byte file",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_what_is_no_recording_fails_with_a_sentence_and_can_be_mended",
            f"{DRIVE}/test_drive_download.py::test_an_empty_recording_is_a_permanent_failure",
        ),
    ),
    BadInput(
        what="text named .m4a",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_what_is_no_recording_fails_with_a_sentence_and_can_be_mended",
            f"{PIPELINE}/test_transcribing.py::test_what_cannot_be_transcribed_fails_free_in_the_vendors_words",
        ),
    ),
    BadInput(
        what="audio too short",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_what_is_no_recording_fails_with_a_sentence_and_can_be_mended",
            (
                f"{PIPELINE}/test_transcribing.py"
                "::test_a_length_that_was_only_guessed_is_read_from_the_file_before_it_is_paid_for"
            ),
        ),
    ),
    BadInput(
        what="garbage, negative or absurd sidecar",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_an_absurd_sidecar_is_not_the_calls_fault",
            f"{DOMAIN}/test_recording_files.py::test_fault_7_a_duration_that_cannot_be_is_unknown_and_says_why",
            f"{DOMAIN}/test_recording_files.py::test_no_sidecar_breaks_the_reader",
        ),
    ),
    BadInput(
        what="file replaced while downloading",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_a_file_replaced_while_it_is_downloaded_is_fetched_as_it_is_now",
            f"{DRIVE}/test_drive_download.py::test_a_recording_replaced_while_it_breaks_is_not_glued_together",
            f"{PROVIDERS}/test_folder.py::test_a_recording_that_keeps_growing_is_left_for_later",
        ),
    ),
    BadInput(
        what="file gone",
        tests=(
            (
                f"{KNOWN}/test_bad_input.py"
                "::test_a_file_that_goes_while_it_is_fetched_fails_with_a_sentence_and_comes_back"
            ),
            (
                f"{KNOWN}/test_bad_input.py"
                "::test_a_file_that_goes_before_it_is_processed_is_skipped_and_comes_back_by_itself"
            ),
        ),
    ),
    BadInput(
        what="share revoked",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_a_revoked_share_loses_nothing_and_heals",
            f"{DRIVE}/test_drive_changes.py::test_revoked_sharing_is_said_and_heals",
        ),
    ),
    BadInput(
        what="wrong key",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_a_wrong_key_holds_the_call_and_names_the_setting",
            f"{KNOWN}/test_bad_input.py::test_a_wrong_key_to_drive_is_said_and_holds_what_is_known",
            f"{KNOWN}/test_bad_input.py::test_a_wrong_key_to_notion_does_not_keep_the_call_from_being_done",
        ),
    ),
    BadInput(
        what="empty balance",
        tests=(f"{KNOWN}/test_bad_input.py::test_an_empty_balance_holds_the_call_and_says_where_to_top_up",),
    ),
    BadInput(
        what="renamed Notion property",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_a_renamed_column_costs_its_value_and_not_the_page",
            f"{KNOWN}/test_bad_input.py::test_a_renamed_key_column_never_makes_a_second_page",
            f"{NOTION}/test_notion_schema.py::test_columns_renamed_while_we_run_are_noticed_at_the_next_request",
        ),
    ),
    BadInput(
        what="Notion page deleted by the user",
        tests=(
            f"{KNOWN}/test_bad_input.py::test_a_page_that_its_user_deleted_is_not_made_again",
            f"{PIPELINE}/test_delivering.py::test_a_page_that_was_deleted_is_not_made_again",
        ),
    ),
    BadInput(
        what="database locked",
        tests=(
            f"{KNOWN}/test_bad_days.py::test_a_locked_database_is_said_and_everything_goes_on_when_it_is_free",
            f"{STORE}/test_opening.py::test_another_writer_is_waited_for_and_then_named",
        ),
    ),
    BadInput(
        what="disk full",
        tests=(
            f"{KNOWN}/test_bad_days.py::test_a_disk_that_is_full_for_looking_loses_no_call",
            f"{KNOWN}/test_bad_days.py::test_a_disk_that_fills_up_under_a_paid_call_does_not_cost_it_twice",
            f"{KNOWN}/test_bad_days.py::test_a_summary_that_cannot_be_stored_now_is_kept_until_there_is_room",
            f"{KNOWN}/test_bad_days.py::test_a_recording_that_does_not_fit_on_the_disk_waits_for_room",
            f"{PROVIDERS}/test_part_file.py::test_a_full_disk_holds",
        ),
    ),
    BadInput(
        what="read-only directory",
        tests=(
            f"{KNOWN}/test_bad_days.py::test_a_read_only_directory_is_named_and_nothing_is_lost",
            f"{PROVIDERS}/test_markdown_folder.py::test_a_folder_that_cannot_be_made_holds_the_job",
        ),
    ),
    BadInput(
        what="clock jump",
        tests=(
            f"{KNOWN}/test_bad_days.py::test_a_clock_that_jumps_at_every_request_costs_nothing_twice",
            f"{KNOWN}/test_bad_days.py::test_an_order_from_a_wrong_clock_is_found_after_a_restart",
            f"{KNOWN}/test_bad_days.py::test_a_jump_ahead_that_ends_a_live_lease_costs_nothing_twice",
            f"{KNOWN}/test_bad_days.py::test_a_lease_is_put_right_at_the_next_beat_after_a_jump",
            f"{KNOWN}/test_bad_days.py::test_what_a_wrong_clock_put_off_can_be_had_now_and_comes_by_itself_a_day_later",
        ),
    ),
    BadInput(
        what="two processes on one database",
        tests=(
            f"{KNOWN}/test_bad_days.py::test_two_processes_on_one_database_pay_for_each_call_once",
            f"{KNOWN}/test_bad_days.py::test_a_second_process_that_starts_does_no_harm_to_the_first_ones_work",
            f"{CLI}/test_work.py::test_two_runs_on_one_database_pay_for_each_call_once",
        ),
    ),
)


# ------------------------------------------------------------------------------------------------------- the tables hold


@cache
def named_in(file: Path) -> frozenset[str]:
    """Return the names of the tests in *file* that always run and are meant to pass; none if there is no such file."""
    return frozenset(_tests_in(ast.parse(file.read_text(encoding="utf-8")))) if file.is_file() else frozenset()


def _tests_in(place: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in place.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests_in(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
            if not any(word in marks for word in ("mark.skip", "mark.xfail")):
                yield node.name


def missing(tests: tuple[str, ...]) -> list[str]:
    """Return those of *tests* that are not there, are not meant to pass, or are outside the normal run."""
    named = [(test, *test.partition("::")[::2]) for test in tests]
    return [test for test, path, name in named if path.startswith("benchmarks") or name not in named_in(ROOT / path)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.number:02}")
def test_every_known_fault_has_a_test_or_a_reason(fault: Fault) -> None:
    """What is named is there, and what has no test says why it needs none."""
    assert missing(fault.tests) == []
    assert fault.tests or len(fault.cannot_apply) > 20
    assert len(set(fault.tests)) == len(fault.tests)
    assert fault.what.endswith(".")


def test_no_known_fault_is_left_out() -> None:
    """There were thirty-five."""
    assert [fault.number for fault in FAULTS] == list(range(1, 36))


@pytest.mark.parametrize("case", BAD_INPUT, ids=lambda case: case.what)
def test_every_kind_of_bad_input_has_its_tests(case: BadInput) -> None:
    """At least one of them takes a whole call through it, on real parts."""
    assert missing(case.tests) == []
    assert any(test.startswith(f"{KNOWN}/") for test in case.tests)


def test_no_kind_of_bad_input_is_left_out() -> None:
    """As promised: sixteen."""
    assert len({case.what for case in BAD_INPUT}) == len(BAD_INPUT) == 16


def test_a_test_that_is_not_there_is_found_out(tmp_path: Path) -> None:
    """The check can fail: misspelt, skipped, expected to fail, in another file or in none."""
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\ndef test_one(): ...\nclass TestMore:\n    async def test_two(self): ...\n"
        "@pytest.mark.skip(reason='later')\ndef test_three(): ...\n"
        "@pytest.mark.xfail(reason='known')\ndef test_four(): ...\ndef helper(): ...\n"
    )
    assert named_in(file) == {"test_one", "test_two"}
    assert named_in(tmp_path / "test_none.py") == frozenset()
    wrong = ("test_config.py::test_nothing", "test_nowhere.py::test_one", "benchmarks/x.py::test_y", "test_config.py")
    assert missing(wrong) == list(wrong)
