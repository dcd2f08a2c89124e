/** Tests of the batch API's operator, on a manual clock and a server that is none. */
package io.asyncbatch.flink.batchapi.operator;
