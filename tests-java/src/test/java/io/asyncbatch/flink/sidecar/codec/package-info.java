/** Checks the sidecar's ready-made codecs. */
package io.asyncbatch.flink.sidecar.codec;
