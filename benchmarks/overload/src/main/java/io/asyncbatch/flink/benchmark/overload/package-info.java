/**
 * A backend with a knee and its clients, in virtual time: what decides how many calls are in flight
 * is the code of the product, everything else is a model. Deterministic by seed, single-threaded.
 */
package io.asyncbatch.flink.benchmark.overload;
