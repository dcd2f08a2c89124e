/** What a snapshot of the operator holds: a job or a row an entry. Used by the operator's parts. */
package io.asyncbatch.flink.batchapi.state;
