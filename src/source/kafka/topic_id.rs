//! A topic's id: what tells a topic from another of the same name that took its place.
//!
//! librdkafka answers it by DescribeTopics, which the rdkafka crate does not wrap; so this file speaks to librdkafka itself.

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer;

use super::client::Client;

/// Asks the brokers; the error is for a log line, since older brokers have no ids and some users may not ask.
pub fn topic_id(client: &Client, topic: &str, timeout: Duration) -> Result<String, String> {
    let name = CString::new(topic).map_err(|_| "the topic's name holds a zero byte".to_string())?;
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let handle = client.client().native_ptr();
    // SAFETY: `handle` lives as long as `client`. Each object made here is destroyed below, once, after its last use; what the
    // event lends (result, description, id) is read before the event is destroyed; `name` outlives the call that reads it.
    unsafe {
        let queue = rd::rd_kafka_queue_new(handle);
        let options = rd::rd_kafka_AdminOptions_new(handle, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        rd::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, std::ptr::null_mut(), 0);
        let mut names: [*const c_char; 1] = [name.as_ptr()];
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        rd::rd_kafka_DescribeTopics(handle, topics, options, queue);
        rd::rd_kafka_TopicCollection_destroy(topics);
        rd::rd_kafka_AdminOptions_destroy(options);
        let event = rd::rd_kafka_queue_poll(queue, timeout_ms);
        let answer = if event.is_null() { Err("no answer".to_string()) } else { read(event) };
        if !event.is_null() {
            rd::rd_kafka_event_destroy(event);
        }
        rd::rd_kafka_queue_destroy(queue);
        answer
    }
}

/// # Safety
/// `event` must be a live event of librdkafka; nothing of it is kept.
unsafe fn read(event: *mut rd::rd_kafka_event_t) -> Result<String, String> {
    // SAFETY: each pointer is checked before it is followed, and lives as long as the event.
    unsafe {
        if rd::rd_kafka_event_error(event) != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(text(rd::rd_kafka_event_error_string(event)));
        }
        let result = rd::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err("an answer to another question".to_string());
        }
        let mut count = 0;
        let descriptions = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if descriptions.is_null() || count == 0 {
            return Err("an empty answer".to_string());
        }
        let description = *descriptions;
        let error = rd::rd_kafka_TopicDescription_error(description);
        if rd::rd_kafka_error_code(error) != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(text(rd::rd_kafka_error_string(error)));
        }
        let id = rd::rd_kafka_TopicDescription_topic_id(description);
        if id.is_null() {
            return Err("no id".to_string());
        }
        match text(rd::rd_kafka_Uuid_base64str(id)) {
            id if id.chars().all(|digit| digit == 'A') => Err("no id".to_string()), // all zeros: a broker without ids
            id => Ok(id),
        }
    }
}

/// # Safety
/// `text` must be null or end in a zero byte.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and zero-terminated by the caller's word.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
