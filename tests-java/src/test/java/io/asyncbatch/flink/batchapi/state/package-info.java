/** Tests of what a snapshot holds. */
package io.asyncbatch.flink.batchapi.state;
