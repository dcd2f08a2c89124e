/** Jobs to begin from, run by {@code make}. */
package io.asyncbatch.flink.example;
