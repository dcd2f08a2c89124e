/**
 * The operator and a model of what computes its batches, in virtual time: random schedules, each
 * drawn from a seed, with invariants that are checked at every step. Starts at {@link
 * io.asyncbatch.flink.simulation.Simulation}; {@code docs/testing.md} says what it finds and how to
 * read what it prints.
 */
package io.asyncbatch.flink.simulation;
