/**
 * Tables as streams of rows for our operator, and back: what the Table API of Python is made of.
 * Called by the client's thread, through Py4J; the invoker that joins by the mailbox thread.
 */
package io.asyncbatch.flink.table.stream;
