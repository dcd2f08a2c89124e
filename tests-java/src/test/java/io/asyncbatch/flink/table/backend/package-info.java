/** Rows of SQL on their way to a backend. */
package io.asyncbatch.flink.table.backend;
