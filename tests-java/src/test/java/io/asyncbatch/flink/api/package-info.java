/** The public Java API: what it accepts, what it refuses, and what becomes of it in a job. */
package io.asyncbatch.flink.api;
