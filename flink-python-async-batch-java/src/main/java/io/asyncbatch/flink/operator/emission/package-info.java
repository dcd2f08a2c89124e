/**
 * What operators that hold rows back have in common, whatever they wait for: results leave in mails
 * of bounded size, a failure ends it all, and a snapshot's rows are let go of at once. Used by the
 * operators of this project, and by all that runs in Flink for the version of it that they require.
 */
package io.asyncbatch.flink.operator.emission;
