/**
 * Where files of requests and results lie on a TaskManager, and how they go away again. Used by the
 * operator's parts.
 */
package io.asyncbatch.flink.batchapi.files;
