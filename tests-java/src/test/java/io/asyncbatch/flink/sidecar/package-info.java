/** The sidecar's client and functions against a server that misbehaves on demand. */
package io.asyncbatch.flink.sidecar;
