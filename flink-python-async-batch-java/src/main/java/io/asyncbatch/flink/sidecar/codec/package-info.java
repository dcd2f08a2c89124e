/**
 * The ready-made codecs: which tensor a list of values becomes, and how records are taken apart and
 * put together. For {@code sidecar} only, which is what users import. Everything here is immutable
 * and travels with the job graph.
 */
package io.asyncbatch.flink.sidecar.codec;
