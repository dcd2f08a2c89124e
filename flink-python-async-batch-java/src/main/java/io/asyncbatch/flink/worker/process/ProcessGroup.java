package io.asyncbatch.flink.worker.process;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds the processes of a process group. A worker makes itself the leader of a group of its own,
 * so its children can still be found when it is dead and they belong to {@code init}. Stateless.
 */
final class ProcessGroup {

    private static final Path PROC = Path.of("/proc");

    /** Position of the process group among the fields that follow the command's name. */
    private static final int GROUP_FIELD = 2;

    private ProcessGroup() {}

    /** The members of the group that this process leads; empty where there is no {@code /proc}. */
    static List<ProcessHandle> members(long leader) {
        List<ProcessHandle> members = new ArrayList<>();
        if (!Files.isDirectory(PROC)) {
            return members;
        }
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                if (groupOf(process) == leader) {
                    long pid = Long.parseLong(process.getFileName().toString());
                    ProcessHandle.of(pid).ifPresent(members::add);
                }
            }
        } catch (IOException e) {
            return members;
        }
        return members;
    }

    private static long groupOf(Path process) {
        try {
            String stat = Files.readString(process.resolve("stat"));
            // The command's name stands in parentheses and may itself hold spaces and parentheses.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return Long.parseLong(fields[GROUP_FIELD]);
        } catch (IOException | RuntimeException e) {
            // It ended while we looked.
            return -1;
        }
    }
}
