/** Tests of the clients, against a server of HTTP that misbehaves on demand. */
package io.asyncbatch.flink.batchapi.client;
