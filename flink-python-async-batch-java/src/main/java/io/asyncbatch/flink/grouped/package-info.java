/**
 * Elements from Python with what Python says of them: weight and key are computed by a function of
 * PyFlink's own before the operator, and travel beside the element. Used by {@code graph}.
 */
package io.asyncbatch.flink.grouped;
