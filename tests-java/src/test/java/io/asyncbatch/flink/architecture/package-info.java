/** Checks which package may know which, and other rules that hold for all code. */
package io.asyncbatch.flink.architecture;
