/** Tests of where files lie and of how they go away. */
package io.asyncbatch.flink.batchapi.files;
