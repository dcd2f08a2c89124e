/** What Flink itself has for calling model servers, as a function that a benchmark can run. */
package io.asyncbatch.flink.benchmark.peer;
