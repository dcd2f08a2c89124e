/** The operator that sends rows through a Batch API: lifecycle and wiring. Used by the API. */
package io.asyncbatch.flink.batchapi.operator;
