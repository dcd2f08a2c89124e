/** How limits are found and held, in virtual time. */
package io.asyncbatch.flink.limit;
