/** What a call of the Python API becomes, and what it refuses while the job graph is built. */
package io.asyncbatch.flink.graph;
