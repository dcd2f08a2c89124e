/**
 * What Java users import: batched asynchronous functions, and the methods that apply them to
 * streams.
 */
package io.asyncbatch.flink;
