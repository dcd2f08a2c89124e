/** Tests of the Batch API as users have it: options, and jobs in a real cluster. */
package io.asyncbatch.flink.batchapi;
